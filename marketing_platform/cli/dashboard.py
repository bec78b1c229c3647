"""`dashboard`: the pages for marketers, in front of an API that runs already."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from marketing_platform.cli.keys import dashboard_key_file
from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import console
from marketing_platform.settings import Settings

Host = Annotated[
    str | None, typer.Option("--host", help="Address to listen on; MARKETING_API_HOST unless given.")
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Port to listen on.", envvar="MARKETING_DASHBOARD_PORT"),
]
Api = Annotated[
    str | None,
    typer.Option(
        "--api",
        help="Where the API answers; this machine unless given.",
        envvar="MARKETING_DASHBOARD_API_URL",
    ),
]
_KEY, _KEY_FILE, _URL = (f"MARKETING_DASHBOARD_{name}" for name in ("KEY", "KEY_FILE", "API_URL"))


def dashboard(data_dir: DataDir = None, host: Host = None, port: Port = None, api: Api = None) -> None:
    """Show figures, questions, uploads and recommendations in a browser, from the API.

    Its key is MARKETING_DASHBOARD_KEY or MARKETING_DASHBOARD_KEY_FILE. Without either, one is made that may
    read figures, recommendations and what landed, and land files; it is kept in the data folder.
    """
    from marketing_platform.cli.processes import dashboard_command, environment

    settings = settings_of(data_dir)
    address = (host or settings.api_host, port or settings.dashboard_port)
    asked = api or f"http://{settings.api_host}:{settings.api_port}"
    console.print(f"Dashboard   http://{address[0]}:{address[1]}   asks {asked}", highlight=False)
    command = dashboard_command(*address)
    os.execve(command[0], command, {**environment(settings), **told(settings, asked)})  # noqa: S606 -- our own


def told(settings: Settings, api: str) -> dict[str, str]:
    """What the dashboard is told beside the settings: where the API is, and which key to send."""
    given = {name: os.environ[name] for name in (_KEY, _KEY_FILE) if os.environ.get(name)}
    return {_URL: api, **(given or {_KEY_FILE: str(dashboard_key_file(settings))})}
