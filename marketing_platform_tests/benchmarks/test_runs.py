"""How one run is measured: memory, disk, and what is said of a run that does not come to its end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.resources import Memory, disk_mb, peak_of_all_mb
from benchmarks.runs import run

_MB = 1_000_000


def test_memory_is_that_of_the_largest_process_and_of_all_together() -> None:
    memory = Memory()
    memory.reset()
    before = memory.peak
    script = (
        f"kept = bytearray({300 * _MB}); kept[::4096] = b'x' * len(kept[::4096]); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        deadline = time.monotonic() + 30
        # Less than the child holds: this process may give memory back meanwhile.
        while memory.together < before + 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        together, peak = memory.together, memory.peak
        child.communicate(b"\n")
    assert together >= before + 200
    assert max(before, 300) <= peak < together
    assert peak_of_all_mb() >= 300


def test_a_peak_is_of_the_time_since_the_last_reset() -> None:
    memory = Memory()
    kept = bytearray(200 * _MB)
    kept[::4096] = b"x" * len(kept[::4096])
    high = memory.peak
    del kept
    memory.reset()
    assert memory.peak < high - 100


def test_disk_is_told_by_store(tmp_path: Path) -> None:
    (tmp_path / "answers" / "deep").mkdir(parents=True)
    (tmp_path / "answers" / "deep" / "file").write_bytes(b"x" * 3 * _MB)
    (tmp_path / "ledger.sqlite").write_bytes(b"x" * _MB)
    (tmp_path / "ledger.sqlite-wal").write_bytes(b"x" * _MB)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "given").write_bytes(b"x" * _MB)
    found = disk_mb(tmp_path)
    assert list(found) == ["answers", "ledger.sqlite"]
    assert found["answers"] == pytest.approx(3, rel=0.1)
    assert found["ledger.sqlite"] == pytest.approx(2, rel=0.1)


@pytest.mark.slow
def test_a_run_that_fails_says_what_was_being_done(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="a title: the run failed, its error is above, starting up"):
        run(tmp_path, "a title", settings={"MARKETING_CHUNK_ROWS": "1"})


def test_a_run_that_was_killed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = tmp_path / "killed.sh"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(SystemExit, match="ended by SIGKILL, as a system does that is short of memory"):
        run(tmp_path, "a title")
