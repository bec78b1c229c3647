"""`demo`: sample data through the graph, three questions to the API, one line of JSON."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from marketing_platform.cli.keys import demo_key
from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import console, emit_json, emit_table
from marketing_platform.settings import Settings

_START_SECONDS = 60
_ASKED_USERS = 20
_Get = Callable[[str], dict[str, Any]]


def demo(data_dir: DataDir = None) -> None:
    """Show everything once: make sample data, run the graph, start the API, ask it, say what it said.

    The last line is the JSON object that `run --json` prints.
    """
    from marketing_platform.cli.processes import api_command, free_port, running, wait_for
    from marketing_platform.cli.run import run_pipeline, show_summary
    from marketing_platform.sample import write_sample

    started = time.monotonic()
    settings = settings_of(data_dir)
    console.rule("[bold]1. Files land")
    sample = write_sample(settings.landing_dir)
    emit_table("", ["file", "rows"], [(file.path, file.rows) for file in sample.files])
    console.rule("[bold]2. The graph runs: kept, checked, embedded, related, aggregated, released")
    summary = run_pipeline(settings, quiet=False)
    show_summary(settings, summary)
    console.rule("[bold]3. The API answers from that release")
    port = free_port()
    log = settings.data_dir / "api.log"
    with running({"api": api_command("127.0.0.1", port)}, settings, log=log) as processes:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/api/v1/health", processes["api"], seconds=_START_SECONDS)
        key = demo_key(settings)
        user = _ask(partial(_get, base, key))
    console.print("\nNext: [bold]make up[/] starts the Dagster UI, the daemon and the API on this data.")
    _show_how_to_ask(settings, key, user)
    emit_json({**summary, "seconds": round(time.monotonic() - started, 2)})


def _ask(get: _Get) -> str:
    """Show three answers; the user they are about."""
    campaigns = get("/analytics/campaign-performance?limit=500")["items"]
    names = {campaign["campaign_id"]: campaign["name"] for campaign in campaigns}
    user = _somebody(get)
    _show_recommendations(get, user, names)
    _show_graph(get, user, names)
    _show_analytics(get)
    return user


def _somebody(get: _Get) -> str:
    """The most engaged user whose product list is their own: those of the holdout get what is popular."""
    path = f"/analytics/user-engagement?sort=engagement_score&order=desc&limit={_ASKED_USERS}"
    users: list[str] = [line["user_id"] for line in get(path)["items"]]
    own = (user for user in users if get(_products_of(user))["strategy"] == "hybrid")
    return next(own, users[0])


def _products_of(user: str) -> str:
    return f"/api/v1/users/{quote(user, safe='')}/recommendations?limit=3"


def _show_how_to_ask(settings: Settings, key: str, user: str) -> None:
    """Lines to paste once the API is up; who calls needs a key, and this one is for trying things."""
    base = f"http://{settings.api_host}:{settings.api_port}"
    console.print(
        "\nAsk it yourself once it is up. Every question needs a key; this is the demo's:", soft_wrap=True
    )
    console.print(f"  export MARKETING_KEY={key}", highlight=False, soft_wrap=True)
    console.print(
        f'  curl -H "Authorization: Bearer $MARKETING_KEY" "{base}{_products_of(user)}"',
        highlight=False,
        soft_wrap=True,
    )


def _show_recommendations(get: _Get, user: str, names: dict[str, str]) -> None:
    path = f"/recommendations/{quote(user, safe='')}?limit=3"
    answer = get(path)
    console.print(f"\n[bold]What should we show {user}?[/]  GET {path}")
    emit_table(
        "",
        ["campaign", "score", "why"],
        [(names[item["campaign_id"]], item["score"], item["reason"]) for item in answer["items"]],
    )


def _show_graph(get: _Get, user: str, names: dict[str, str]) -> None:
    path = f"/graph/user-campaigns?user_id={quote(user)}&limit=5"
    answer = get(path)
    console.print(f"\n[bold]What has {user} to do with our campaigns?[/]  GET {path}")
    emit_table(
        "",
        ["campaign", "events", "engagement", "last"],
        [
            (names[item["campaign_id"]], item["events"], item["engagement_score"], item["last_at"][:10])
            for item in answer["items"]
        ],
    )


def _show_analytics(get: _Get) -> None:
    path = "/analytics/campaign-performance?sort=engagement_score&order=desc&limit=5"
    answer = get(path)
    console.print(f"\n[bold]Which campaigns work?[/]  GET {path}")
    emit_table(
        "",
        ["campaign", "users", "clicks", "conversions", "click rate", "engagement"],
        [
            (
                item["name"],
                item["users"],
                item["clicks"],
                item["conversions"],
                item["click_rate"],
                item["engagement_score"],
            )
            for item in answer["items"]
        ],
    )


def _get(base: str, key: str, path: str) -> dict[str, Any]:
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- our own API on loopback
        return json.load(response)
