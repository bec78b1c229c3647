"""A small installation with one release, made once; each test gets a copy it may change."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.execution import open_instance
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.once import made_once


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation that has run once on a small sample."""

    def make(folder: Path) -> None:
        settings = Settings(data_dir=folder, settle_seconds=0)
        write_sample(settings.landing_dir, users=40, events=600)
        Installation(settings).run()

    return made_once(tmp_path_factory, "released", make)


@pytest.fixture
def installation(released: Path, tmp_path: Path) -> Installation:
    """A copy of the installation that has run once."""
    shutil.copytree(released, tmp_path / "data", symlinks=True)
    return Installation(Settings(data_dir=tmp_path / "data", settle_seconds=0))


@pytest.fixture
def instance(installation: Installation) -> Generator[dg.DagsterInstance]:
    """The Dagster instance of that copy."""
    with open_instance(installation.settings) as instance:
        yield instance
