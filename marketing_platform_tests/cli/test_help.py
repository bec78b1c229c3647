"""Help is quick, and says something about every command and option."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from marketing_platform.cli.app import app

_HEAVY = ("dagster", "duckdb", "great_expectations", "matplotlib", "onnxruntime", "pandas", "pymilvus")


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for below, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{name} {below}")


_COMMANDS = dict(_commands(typer.main.get_command(app), "marketing-platform"))


def test_the_commands_are_those_of_the_manual() -> None:
    names = {name.removeprefix("marketing-platform").strip() for name in _COMMANDS}
    assert names >= {
        *("run", "serve", "up", "demo", "gates test", "sample write"),
        *("sources validate", "sources preview", "batches show", "batches accept"),
        *("quarantine show", "quarantine export", "quarantine replay"),
        *(f"releases {verb}" for verb in ("list", "show", "diff", "rollback", "collect", "pin", "unpin")),
    }


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    command = _COMMANDS[name]
    assert command.help
    assert len(command.help.split()) >= 3
    for parameter in command.params:
        assert parameter.help, f"{name} says nothing about {parameter.name}"


def test_help_is_quick_because_it_imports_little_and_nothing_heavy() -> None:
    # Modules are counted, not seconds: a busy machine makes every import slow, and none more.
    program = (
        "import sys; sys.argv = ['marketing-platform', '--help']\n"
        "from marketing_platform.cli import main\n"
        "try: main()\n"
        f"finally: print(len(sys.modules), sorted(set({_HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0
    count, _, heavy = finished.stderr.strip().partition(" ")
    assert heavy == "[]"
    assert int(count) < 2_000
