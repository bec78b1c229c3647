"""The command line is tried on installations like those of the acceptance tests."""

from __future__ import annotations

from marketing_platform_tests.acceptance.conftest import install, models

__all__ = ["install", "models"]
