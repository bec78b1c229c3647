"""`serve`: the API. `up`: Dagster UI, daemon, API and dashboard together."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from marketing_platform.cli.dashboard import told
from marketing_platform.cli.keys import say_how_to_make_one
from marketing_platform.cli.options import DataDir, InputDir, SourcesDir, settings_of
from marketing_platform.cli.output import console
from marketing_platform.errors import StoreUnavailable
from marketing_platform.releases.notices import Notice
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings

Host = Annotated[
    str | None, typer.Option("--host", help="Address to listen on.", envvar="MARKETING_API_HOST")
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Port to listen on.", envvar="MARKETING_API_PORT"),
]

_MODULE = "marketing_platform.definitions"
_LOCATION = "marketing_platform"  # as in workspace.yaml: what Dagster remembers is filed under it
_WORKSPACE = """\
load_from:
  - grpc_server:
      socket: {socket}
      location_name: {location}
"""
_START_SECONDS = 120


def serve(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Answer REST requests from the current release; follows every new release and rollback."""
    import serving

    settings = settings_of(data_dir)
    say_how_to_make_one(settings)
    given = {"api_host": host, "api_port": port}
    serving.run(
        settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    )


def up(data_dir: DataDir = None, input_dir: InputDir = None, sources_dir: SourcesDir = None) -> None:
    """Start Dagster UI, daemon, API and dashboard on the same data, and end them together on Ctrl-C.

    The ports are MARKETING_UI_PORT (3000), MARKETING_API_PORT (8000) and MARKETING_DASHBOARD_PORT (8501), the
    address is MARKETING_API_HOST (127.0.0.1). What sensors have to say to people is printed as it comes.
    """
    from marketing_platform.cli.processes import only_one, require_free, until_told

    settings = settings_of(data_dir, input_dir, sources_dir)
    with ExitStack() as stack:
        lock = stack.enter_context(only_one(settings.data_dir / ".up.lock", f"`up` on {settings.data_dir}"))
        for port, needed_by, variable in (
            (settings.ui_port, "the Dagster UI", "MARKETING_UI_PORT"),
            (settings.api_port, "the API", "MARKETING_API_PORT"),
            (settings.dashboard_port, "the dashboard", "MARKETING_DASHBOARD_PORT"),
        ):
            require_free(settings.api_host, port, needed_by=needed_by, variable=variable)
        stack.callback(lambda: console.print("ended"))
        stack.enter_context(until_told())
        _run_all(settings, lock)


def _run_all(settings: Settings, lock: int) -> None:
    """The code server first: UI and daemon share it, so that the graph is loaded once."""
    from marketing_platform.cli.processes import (
        api_command,
        dashboard_command,
        deliver_command,
        running,
        wait_for,
        wait_until,
        watch,
    )
    from marketing_platform.cli.webhooks import has_endpoints
    from marketing_platform.defs.execution import prepare_home
    from marketing_platform.defs.launcher import definitions_loaded

    tells = has_endpoints(settings)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    prepare_home(settings)
    with tempfile.TemporaryDirectory(prefix="marketing-platform-") as folder:
        code_socket, workspace = f"{folder}/code.sock", Path(folder, "workspace.yaml")
        workspace.write_text(_WORKSPACE.format(socket=code_socket, location=_LOCATION))
        ui = f"http://{settings.api_host}:{settings.ui_port}"
        api = f"http://{settings.api_host}:{settings.api_port}"
        pages = f"http://{settings.api_host}:{settings.dashboard_port}"
        console.print("starting …")
        with running(
            {"the code server": _code_server(code_socket)}, settings, keep_open=[lock]
        ) as code_server:
            wait_until(
                lambda: definitions_loaded(code_socket),
                code_server["the code server"],
                what="the code server",
                seconds=_START_SECONDS,
            )
            commands = {
                "the Dagster UI": _webserver(workspace, settings),
                "the Dagster daemon": _daemon(workspace),
                "the API": api_command(settings.api_host, settings.api_port),
                "the dashboard": dashboard_command(settings.api_host, settings.dashboard_port),
                **({"the deliverer of webhooks": deliver_command()} if tells else {}),
            }
            asking = told(settings, api)
            with running(commands, settings, keep_open=[lock], more=asking) as processes:
                wait_for(f"{api}/openapi.json", processes["the API"], seconds=_START_SECONDS)
                wait_for(f"{ui}/server_info", processes["the Dagster UI"], seconds=_START_SECONDS)
                wait_for(f"{pages}/_stcore/health", processes["the dashboard"], seconds=_START_SECONDS)
                console.print(f"Dashboard    {pages}")
                console.print(f"Dagster UI   {ui}")
                console.print(f"API          {api}/docs")
                console.print(f"drop files   {settings.landing_dir}")
                say_how_to_make_one(settings)
                console.print("Ctrl-C ends all of them")
                watch({**code_server, **processes}, meanwhile=_Notices(settings).show)


def _code_server(code_socket: str) -> list[str]:
    program = [sys.executable, "-m", "dagster", "code-server", "start"]
    return [
        *program,
        "-m",
        _MODULE,
        "-s",
        code_socket,
        "--location-name",
        _LOCATION,
        "--log-level",
        "warning",
    ]


def _webserver(workspace: Path, settings: Settings) -> list[str]:
    program = [sys.executable, "-m", "dagster_webserver", "-w", str(workspace)]
    levels = ["--log-level", "warning", "--dagster-log-level", "warning"]
    return [*program, "-h", settings.api_host, "-p", str(settings.ui_port), *levels]


def _daemon(workspace: Path) -> list[str]:
    program = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    return [*program, "--log-level", "warning"]


class _Notices:
    """Prints what is added to the notices from now on."""

    def __init__(self, settings: Settings) -> None:
        self._notices = open_records(settings).notices
        self._shown = self._notices.end()

    def show(self) -> None:
        found: list[Notice] = []
        with suppress(StoreUnavailable):  # the processes below go on, and so does this one
            found, self._shown = self._notices.after(self._shown)
        for notice in found:
            console.print(f"[yellow]{notice.at}[/] {notice.message}", highlight=False, soft_wrap=True)
