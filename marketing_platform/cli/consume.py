"""`consume`: messages of Kafka into the landing zone, each exactly once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from marketing_platform.cli.options import DataDir, InputDir, SourcesDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console
from marketing_platform.errors import SourceError
from marketing_platform.settings import Settings

if TYPE_CHECKING:
    from marketing_platform.ingestion.streaming import Lander, Progress
    from marketing_platform.stores.kafka_settings import KafkaSettings

_TOTALS = ("messages", "batches", "bytes", "dead_letters", "lost", "collisions")
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def consume(
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic", help="Read only this topic; may be repeated. MARKETING_KAFKA_TOPICS unless given."
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Land what is there now, then end; else go on until Ctrl-C or SIGTERM."),
    ] = False,
    accept_gap: Annotated[
        bool,
        typer.Option(
            "--accept-gap",
            help="Go on where messages were removed before they landed; a quarantined record says so.",
        ),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=1, max=65535, help="Serve Prometheus metrics on this port."),
    ] = None,
    input_dir: InputDir = None,
    sources_dir: SourcesDir = None,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Land messages of Kafka topics in micro-batches, each message exactly once.

    Where Kafka is, which topics, and how much lands at once, say the MARKETING_KAFKA_… variables. Topic T
    lands in stream/T/ of the landing zone, where a source must declare it; `run` or the daemon takes it
    from there. Start as many of these as a topic has partitions; they share the work, and may be killed
    at any moment. A message that is no JSON object ends in quarantine with its reason. Reading pauses
    while too many landed objects wait to be judged.

    Ends with one JSON object under --json: messages, batches, bytes, dead_letters, lost, collisions,
    paused, waiting, lag (per topic and partition), seconds. Exit code 1: Kafka cannot be reached, or a
    partition does not go on where what landed from it ends; what landed stays.
    """
    kafka = _kafka_settings(topic)
    settings = settings_of(data_dir, input_dir, sources_dir)
    _require_sources(settings, kafka.topics)
    started = time.monotonic()
    with _shown(quiet=json) as show, _told_to_stop() as stop, ExitStack() as stack:
        lander = _lander(settings, kafka, show, accept_gap=accept_gap)
        if metrics_port is not None:
            from marketing_platform.ingestion.stream_metrics import serve_metrics

            stack.callback(serve_metrics(lander.progress, host=settings.api_host, port=metrics_port))
        progress = lander.run(once=once, stop=stop)
    summary = _summary(progress, time.monotonic() - started)
    if json:
        emit_json(summary)
    else:
        emit_table("", [name.replace("_", " ") for name in _TOTALS], [[summary[name] for name in _TOTALS]])
        if progress.paused:
            console.print(f"{progress.waiting} landed objects wait to be judged: `marketing-platform run`")


def _kafka_settings(topics: Sequence[str] | None) -> KafkaSettings:
    from marketing_platform.stores.kafka_settings import KafkaSettings

    given: dict[str, Any] = {"topics": tuple(topics)} if topics else {}
    try:
        return KafkaSettings(**given)
    except ValidationError as error:
        wrong = (": ".join([*map(str, detail["loc"]), detail["msg"]]) for detail in error.errors())
        raise typer.BadParameter("MARKETING_KAFKA_ settings: " + "; ".join(wrong)) from None


def _require_sources(settings: Settings, topics: Sequence[str]) -> None:
    """What no source declares would pile up in the landing zone, and nobody would judge it."""
    from marketing_platform.ingestion.stream_chain import Chain
    from marketing_platform.sources import load_sources, match_source

    sources = load_sources(settings.sources_dir)
    for topic in topics:
        name = Chain.example(topic)
        if match_source(sources, name) is None:
            raise SourceError(
                f"no source declares {name}; add a YAML file with `path: stream/{topic}/**` to"
                f" {settings.sources_dir} (stream_events.yaml is one), or leave the topic out"
            )


def _lander(
    settings: Settings, kafka: KafkaSettings, show: Callable[[Progress], None], *, accept_gap: bool
) -> Lander:
    from marketing_platform.ingestion.stream_backlog import Backlog
    from marketing_platform.ingestion.streaming import BatchLimits, Lander
    from marketing_platform.releases.records import open_records
    from marketing_platform.stores.registry import open_stores
    from marketing_platform.stores.stream_kafka import KafkaStream

    objects = open_stores(settings).objects
    return Lander(
        KafkaStream(kafka),
        objects,
        BatchLimits(
            rows=kafka.batch_rows,
            seconds=kafka.batch_seconds,
            size=kafka.batch_bytes,
            message_bytes=kafka.max_message_bytes,
            waiting=kafka.max_waiting,
        ),
        waiting=Backlog(objects, open_records(settings).ledger).count,
        on_progress=show,
        accept_gap=accept_gap,
    )


def _summary(progress: Progress, seconds: float) -> dict[str, Any]:
    lag: dict[str, dict[str, int]] = {}
    for partition, messages in progress.lag.items():
        lag.setdefault(partition.topic, {})[str(partition.number)] = messages
    return {
        **{name: getattr(progress, name) for name in _TOTALS},
        "paused": progress.paused,
        "waiting": progress.waiting,
        "lag": lag,
        "seconds": round(seconds, 2),
    }


@contextmanager
def _told_to_stop() -> Generator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; what was gathered then still lands."""
    told = threading.Event()
    before = {ending: signal.signal(ending, lambda *_: told.set()) for ending in _ENDINGS}
    try:
        yield told.is_set
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


@contextmanager
def _shown(*, quiet: bool) -> Generator[Callable[[Progress], None]]:
    """A line that changes on a terminal; nothing elsewhere."""
    if quiet or not progress_console.is_terminal:
        yield lambda _: None
        return
    started = time.monotonic()
    with progress_console.status("joining the consumer group …") as status:

        def show(progress: Progress) -> None:
            speed = progress.messages / (time.monotonic() - started)
            paused = f" · paused, {progress.waiting} objects wait to be judged" if progress.paused else ""
            status.update(
                f"{progress.messages:,} messages landed · {speed:,.0f}/s ·"
                f" lag {sum(progress.lag.values()):,} · {progress.dead_letters:,} dead letters{paused}"
            )

        yield show
