"""Options that several commands share, and the settings they make."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from marketing_platform.settings import Settings, load_settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder with everything the platform writes.", envvar="MARKETING_DATA_DIR"
    ),
]
InputDir = Annotated[
    Path | None,
    typer.Option(
        "--input",
        help="The landing folder to read.",
        envvar="MARKETING_INPUT_DIR",
        exists=True,
        file_okay=False,
    ),
]
SourcesDir = Annotated[
    Path | None,
    typer.Option(
        "--sources",
        help="Folder with the declared sources.",
        envvar="MARKETING_SOURCES_DIR",
        exists=True,
        file_okay=False,
    ),
]


def settings_of(
    data_dir: Path | None = None, input_dir: Path | None = None, sources_dir: Path | None = None
) -> Settings:
    """The environment's settings, changed by what the command was given."""
    given = {"data_dir": data_dir, "input_dir": input_dir, "sources_dir": sources_dir}
    settings = _environment()
    return settings.model_copy(
        update={
            "data_dir": settings.data_dir.resolve(),
            **{name: path.resolve() for name, path in given.items() if path is not None},
        }
    )


def _environment() -> Settings:
    try:
        return load_settings()
    except ValidationError as error:
        wrong = (
            f"MARKETING_{detail['loc'][0]}".upper() + f" is {detail['input']!r}: {detail['msg']}"
            for detail in error.errors()
        )
        raise typer.BadParameter("; ".join(wrong)) from None


def who() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"
