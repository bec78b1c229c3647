"""The API starts without what only the pipeline needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_importing_the_app_pulls_in_no_heavy_library() -> None:
    heavy = ("dagster", "torch", "pandas", "pymilvus", "onnxruntime", "great_expectations")
    program = f"import sys, serving.app; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
