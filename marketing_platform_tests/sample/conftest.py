"""One default sample, written once for all tests of this folder."""

from __future__ import annotations

import pytest

from marketing_platform.sample import SampleSummary, write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("sample"))
