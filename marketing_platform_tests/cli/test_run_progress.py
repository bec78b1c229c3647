"""How far a run is, as a terminal and as a program see it, while Dagster catches what steps write."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

# A run of three steps; stderr leads to a file while they go, as Dagster has it.
RUN = """
import os, sys, time
from marketing_platform.cli.run_progress import showing
from marketing_platform.defs.progress import Progress

def told(done, step, left, after):
    return Progress("publish", done, 3, step, min(done, 1), 1.0, left, after, {measured})

with showing(False, {lines}) as tell:
    terminal, log = os.dup(2), os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 2)
    for heard in (told(0, "users", 7200, 5400), told(1, "similar_users", 330, 30), told(2, "release", 21, 0)):
        tell(heard)
        time.sleep(0.3)
    os.dup2(terminal, 2)
    tell(told(3, None, 0, 0))
"""


def run(log: Path, *, lines: bool, measured: bool = True, stderr: int) -> subprocess.Popen[bytes]:
    program = RUN.format(lines=lines, measured=measured)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    return subprocess.Popen([sys.executable, "-c", program, str(log)], stderr=stderr, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize(("measured", "by"), [(True, ""), (False, " by share of steps")])
def test_a_terminal_shows_steps_kept_assets_and_what_is_left(tmp_path: Path, measured: bool, by: str) -> None:
    mine, its = pty.openpty()
    with run(tmp_path / "log", lines=False, measured=measured, stderr=its) as process:
        os.close(its)
        shown = b""
        while chunk := _read(mine):
            shown += chunk
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for frame in (
        ("publish: users", "0/3", f"2.0 h left{by}"),
        ("publish (1 kept): similar_users", "1/3", "left"),
    ):
        assert any(all(part in line for part in frame) for line in re.split(r"[\r\n]+", text)), text
    assert re.search(rf"publish \(1 kept\): release .* 2/3 .* 2[01] s left{by}", text)
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.slow
def test_a_program_reads_a_line_per_step(tmp_path: Path) -> None:
    with run(tmp_path / "log", lines=True, stderr=subprocess.PIPE) as process:
        _, told = process.communicate()
    lines = [orjson.loads(line) for line in told.splitlines()]
    assert [(line["step"], line["done"], line["left_seconds"]) for line in lines] == [
        ("users", 0, 7200),
        ("similar_users", 1, 330),
        ("release", 2, 21),
        (None, 3, 0),
    ]
    assert {(line["job"], line["steps"], line["left_by"]) for line in lines} == {("publish", 3, "last run")}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other side is closed
        return b""
