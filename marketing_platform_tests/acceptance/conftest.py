"""Installations whose folders last for the whole session; the language model is prepared once for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.encoders import open_encoder
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.once import made_once

Install = Callable[..., Installation]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:

    def make(folder: Path) -> None:
        open_encoder(folder)

    return made_once(tmp_path_factory, "models", make)


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Install:
    """Makes installations on empty folders."""

    def make(**settings: Any) -> Installation:
        data_dir = tmp_path_factory.mktemp("installation")
        (data_dir / "models").symlink_to(models)
        return Installation(Settings(data_dir=data_dir, **settings))

    return make
