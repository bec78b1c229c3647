"""How fast boards are drawn and answered, of `make bench-content`.

Cold: a board that nobody asked for yet, as PNG, from an API process over the sample, one request
after the other. Cached: the same boards again, in turns with another look-up of the user (features), so
that both see the same noise.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.serving import key_of, ours
from marketing_platform.access import Scope
from marketing_platform.catalog import table
from marketing_platform.cli.run import run_pipeline
from marketing_platform.content.board.looks import Look
from marketing_platform.content.board.pictures import Pictures
from marketing_platform.content.board.studio import Studio
from marketing_platform.content.people import Person
from marketing_platform.releases.records import open_records
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import open_stores

_ASPECTS = ("16:9", "1:1", "9:16", "4:5")


def boards(data_dir: Path | None = None, *, cold: int = 200, cached: int = 1_000) -> dict[str, float]:
    """What was measured, over the release in `data_dir` or over one that is made of the sample.

    `boards_per_core_s` (PNG, of processor time), `board_cold_p50_ms`, `board_cold_p95_ms`,
    `board_cached_p50_ms`, `lookup_p50_ms`, and `board_cached_ratio`, the one by the other.
    """
    with ExitStack() as cleanups:
        folder = data_dir or Path(cleanups.enter_context(tempfile.TemporaryDirectory(prefix="boards-")))
        settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
        if data_dir is None:
            write_sample(settings.landing_dir)
            run_pipeline(settings, quiet=True)
        users = _users(settings)
        per_core = _per_core(settings, users[:50])
        port = cleanups.enter_context(ours(settings))
        key = key_of(settings, Scope.READ_RECOMMENDATIONS)
        client = cleanups.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}/api/v1/users/", headers={"Authorization": f"Bearer {key}"}
            )
        )
        return {"boards_per_core_s": per_core, **_answered(client, users, cold, cached)}


def told(found: dict[str, float]) -> str:
    """The same for a person."""
    return (
        f"boards: {found['boards_per_core_s']:.1f} PNG per second and core; cold"
        f" {found['board_cold_p50_ms']:.0f} ms (p95 {found['board_cold_p95_ms']:.0f} ms); cached"
        f" {found['board_cached_p50_ms']:.2f} ms, another look-up {found['lookup_p50_ms']:.2f} ms"
        f" (ratio {found['board_cached_ratio']:.2f})"
    )


def _per_core(settings: Settings, users: Sequence[str]) -> float:
    studio = Studio.open(settings.boards_dir)
    stores, shelf = open_stores(settings), open_records(settings).shelf
    people = stores.answers.open(shelf.load(shelf.current() or "").answers["people"].name)
    known = [Person.read(people.get(user) or b"") for user in users]
    began = time.process_time()
    for person, aspect in zip(known, cycle(_ASPECTS), strict=False):
        studio.draw(person, [], Pictures(lambda _: None), Look("png", "light", aspect))
    return round(len(known) / (time.process_time() - began), 1)


def _answered(client: httpx.Client, users: Sequence[str], cold: int, cached: int) -> dict[str, float]:
    paths = [
        f"{user}/vision-board?format=png&aspect={aspect}"
        for user, aspect in zip(users[:cold], cycle(_ASPECTS), strict=False)
    ]
    first = [_milliseconds(lambda path=path: client.get(path)) for path in paths]
    again, others = [], []
    # Those asked for last are remembered for sure.
    for path in (path for path, _ in zip(cycle(paths[-50:]), range(cached), strict=False)):
        again.append(_milliseconds(lambda path=path: client.get(path)))
        others.append(_milliseconds(lambda path=path: client.get(path.split("/")[0] + "/features")))
    return {
        "board_cold_p50_ms": round(median(first), 1),
        "board_cold_p95_ms": round(quantiles(first, n=20)[-1], 1),
        "board_cached_p50_ms": round(median(again), 2),
        "lookup_p50_ms": round(median(others), 2),
        "board_cached_ratio": round(median(again) / median(others), 2),
    }


def _milliseconds(ask: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    ask().raise_for_status()
    return (time.perf_counter() - began) * 1_000


def _users(settings: Settings) -> list[str]:
    shelf = open_records(settings).shelf
    parts = shelf.load(shelf.current() or "").tables["users"].parts
    known = TableRef("users", parts, table("users").arrow_schema)
    select = Select("SELECT user_id FROM users ORDER BY user_id", [known])
    return open_stores(settings).warehouse.query(select)["user_id"].to_pylist()
