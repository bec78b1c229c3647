"""`marketing-platform webhooks …`: who is told, what did not arrive, and telling it again."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import AutomationError
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings

if TYPE_CHECKING:
    from marketing_platform.automations.declared import Endpoint
    from marketing_platform.automations.delivering import Deliverer
    from marketing_platform.releases.outbox import Delivery

app = typer.Typer(no_args_is_help=True)

EndpointOption = Annotated[str | None, typer.Option("--endpoint", help="Only of this endpoint.")]
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STATES = ("waiting", "delivered", "dead")


@app.command("list")
def list_all(data_dir: DataDir = None, json: JsonOption = False) -> None:
    """Endpoints with the deliveries that wait, arrived and are dead, and hooks."""
    from marketing_platform.automations.opening import declared_automations

    settings = settings_of(data_dir)
    declared = declared_automations(settings)
    counts = open_records(settings).outbox.counts()
    of_endpoints = {
        one.name: {state: counts.get((one.name, state), 0) for state in _STATES} for one in declared.endpoints
    }
    if json:
        endpoints = [{**one.model_dump(), **of_endpoints[one.name]} for one in declared.endpoints]
        emit_json({"endpoints": endpoints, "hooks": [one.model_dump() for one in declared.hooks]})
        return
    rows = [
        (one.name, one.url, ", ".join(one.events), *of_endpoints[one.name].values())
        for one in declared.endpoints
    ]
    emit_table("endpoints", ["name", "url", "events", *_STATES], rows)
    done = [(one.name, f"lands {one.land}" if one.land else f"runs {one.run}") for one in declared.hooks]
    emit_table("hooks", ["name", "what a call does"], done)


@app.command()
def validate(json: JsonOption = False) -> None:
    """Say whether webhooks.yaml and every secret it needs are right (exit code 1: they are not)."""
    from marketing_platform.automations.opening import declared_automations

    errors: list[str] = []
    parties = 0
    try:
        for party in declared_automations(settings_of()).parties():
            parties += 1
            try:
                party.keys()
            except AutomationError as error:
                errors.append(str(error))
    except AutomationError as error:
        errors = str(error).splitlines()
    if json:
        emit_json({"parties": parties, "errors": errors})
    else:
        emit_problems(errors)
        if not errors:
            console.print(f"{parties} endpoints and hooks, each with its secret")
    if errors:
        raise typer.Exit(1)


@app.command()
def secret() -> None:
    """Print a new secret; both ends of a webhook need the same one."""
    from marketing_platform.automations.signing import new_secret

    typer.echo(new_secret())


@app.command()
def dead(
    endpoint: EndpointOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """What was given up, newest first, and why."""
    outbox = open_records(settings_of(data_dir)).outbox
    found = outbox.deliveries(state="dead", endpoint=endpoint, limit=limit)
    if json:
        emit_json([_document(one) for one in found])
        return
    columns = ["event", "type", "at (UTC)", "endpoint", "attempts", "problem"]
    emit_table(f"{len(found)} dead letters", columns, [_row(one) for one in found])


@app.command()
def replay(
    event: Annotated[
        str | None, typer.Argument(help="The id of one event (webhook-id); also one that has arrived.")
    ] = None,
    endpoint: EndpointOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Deliver again, under the same webhook-id, with all attempts anew."""
    if (event is None) != every:
        raise typer.BadParameter("name one event, or say --all")
    outbox = open_records(settings_of(data_dir)).outbox
    replayed = outbox.replay(now=datetime.now(UTC), event_id=event, endpoint=endpoint)
    if json:
        emit_json([{"event_id": event_id, "endpoint": name} for event_id, name in replayed])
    else:
        console.print(f"{len(replayed)} deliveries are due again")
    if event is not None and not replayed:
        raise typer.Exit(1)


@app.command("test")
def try_out(
    name: Annotated[str, typer.Argument(help="The endpoint.")],
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Send a signed `webhook.test` at once, and say what came back (exit code 1: it did not arrive)."""
    from marketing_platform.automations.opening import declared_automations

    settings = settings_of(data_dir)
    endpoints = {one.name: one for one in declared_automations(settings).endpoints}
    if name not in endpoints:
        raise AutomationError(f"no endpoint {name!r}; there are: {', '.join(endpoints) or 'none'}")
    problem = asyncio.run(_try(endpoints[name]))
    if json:
        emit_json({"endpoint": name, "delivered": problem is None, "problem": problem})
    else:
        console.print(f"{name}: {problem or 'delivered'}", markup=False, highlight=False)
    if problem is not None:
        raise typer.Exit(1)


@app.command()
def deliver(
    once: Annotated[
        bool, typer.Option("--once", help="Deliver what is due now, then end; else until Ctrl-C or SIGTERM.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Look for events and deliver them; `up` runs this where endpoints are declared."""
    from marketing_platform.automations.opening import open_deliverer

    deliverer = open_deliverer(settings_of(data_dir))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("marketing_platform.automations").setLevel(logging.INFO)
    asyncio.run(deliverer.run(once=True) if once else _until_told(deliverer))


def has_endpoints(settings: Settings) -> bool:
    """Whether anybody is to be told; AutomationError when the declaration or a secret is wrong."""
    from marketing_platform.automations.opening import declared_automations

    declared = declared_automations(settings)
    for party in declared.parties():
        party.keys()
    return bool(declared.endpoints)


async def _until_told(deliverer: Deliverer) -> None:
    """What is under way is finished; an exception out of a signal could end it anywhere."""
    for ending in _ENDINGS:
        asyncio.get_running_loop().add_signal_handler(ending, deliverer.end)
    await deliverer.run()


async def _try(endpoint: Endpoint) -> str | None:
    from marketing_platform.automations.events import TEST, test_body
    from marketing_platform.automations.sending import Sender
    from marketing_platform.automations.webhook_settings import WebhookSettings
    from marketing_platform.stores.registry import from_environment

    now = datetime.now(UTC)
    async with Sender(from_environment(WebhookSettings)) as sender:
        outcome = await sender.send(endpoint, f"{TEST}-{now:%Y%m%dT%H%M%S%f}", test_body(now))
    return outcome.problem


def _row(one: Delivery) -> Sequence[object]:
    event = one.event
    at = f"{event.at:%Y-%m-%d %H:%M:%S}"
    return (event.event_id, event.type, at, one.endpoint, one.attempts, one.problem)


def _document(one: Delivery) -> dict[str, object]:
    event = one.event
    return {
        "event_id": event.event_id,
        "type": event.type,
        "at": event.at,
        "endpoint": one.endpoint,
        "attempts": one.attempts,
        "problem": one.problem,
        "body": event.body,
    }
