"""A browser that pages are looked at with, from Debian's packages where there is none."""

from __future__ import annotations

import shutil

from marketing_platform_tests.servers.base import ServerFailed
from marketing_platform_tests.servers.packages import install_debian

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed() -> str:
    """The path of a Chromium; installed first when there is none, which needs root."""
    if _found() is None:
        install_debian("chromium")
    found = _found()
    if found is None:
        raise ServerFailed(f"none of {', '.join(_NAMES)} is there after chromium was installed")
    return found


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
