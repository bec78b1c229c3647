"""`serve`: the API. `up`: Dagster UI, daemon and API together."""

from __future__ import annotations

from typing import Annotated

import typer

from marketing_platform.cli.options import DataDir, InputDir, SourcesDir, settings_of
from marketing_platform.cli.output import console
from marketing_platform.settings import PROJECT_DIR

Host = Annotated[
    str | None, typer.Option("--host", help="Address to listen on.", envvar="MARKETING_API_HOST")
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Port to listen on.", envvar="MARKETING_API_PORT"),
]


def serve(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Answer REST requests from the current release; follows every new release and rollback."""
    import serving

    settings = settings_of(data_dir)
    given = {"api_host": host, "api_port": port}
    serving.run(
        settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    )


def up(data_dir: DataDir = None, input_dir: InputDir = None, sources_dir: SourcesDir = None) -> None:
    """Start Dagster UI, daemon and API on the same data, and end them together on Ctrl-C."""
    from marketing_platform.cli.processes import api_command, dagster_command, running, watch
    from marketing_platform.defs.execution import prepare_home

    settings = settings_of(data_dir, input_dir, sources_dir)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    prepare_home(settings)
    workspace = str(PROJECT_DIR / "workspace.yaml")
    ui = ("-h", settings.api_host, "-p", str(settings.ui_port))
    commands = {
        "the Dagster UI": dagster_command("webserver", "-w", workspace, *ui),
        "the Dagster daemon": dagster_command("daemon", "run", "-w", workspace),
        "the API": api_command(settings.api_host, settings.api_port),
    }
    with running(commands, settings) as processes:
        console.print(f"Dagster UI   http://{settings.api_host}:{settings.ui_port}")
        console.print(f"API          http://{settings.api_host}:{settings.api_port}/docs")
        console.print(f"drop files   {settings.landing_dir}")
        console.print("Ctrl-C ends all of them")
        watch(processes)
