"""The disk under the embedded stores fills up before a release is made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.acceptance.landed import conversation, csv

pytestmark = pytest.mark.long

_LEFT = 300_000  # bytes: enough to begin a run, not to end one


@pytest.fixture
def small_disk(tmp_path: Path, models: Path) -> Iterator[Installation]:
    """An installation on a file system of 64 MB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only who may mount a file system can fill one up")
    try:
        (tmp_path / "models").symlink_to(models)
        yield Installation(Settings(data_dir=tmp_path))
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def _fill(folder: Path) -> Path:
    disk = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - _LEFT))
    return filler


def test_it_is_said_the_old_release_serves_and_the_next_run_goes_through(small_disk: Installation) -> None:
    small_disk.land("one/events.csv", csv(conversation("one", rows=40)))
    small_disk.run()
    before = small_disk.release()
    small_disk.land("two/events.csv", csv(conversation("two", rows=40)))
    with small_disk.api() as client:
        filler = _fill(small_disk.settings.data_dir)
        failed = small_disk.command("run", "--json")
        assert failed.code == 1
        assert "Traceback" not in failed.err
        assert f"no space is left for {small_disk.settings.data_dir}" in failed.err
        assert small_disk.release() == before
        assert client.get("/recommendations/user-1").json()["release_id"] == before.release_id
    filler.unlink()
    done = small_disk.command("run", "--json")
    assert done.code == 0, done.err
    assert small_disk.release().previous == before.release_id
    assert small_disk.release().totals.rows_landed == 80
