"""What the image is made of: everything that the platform reads of its own repository."""

from __future__ import annotations

from pathlib import Path

from marketing_platform.settings import PROJECT_DIR, load_settings


def test_every_package_and_every_folder_of_declarations_gets_into_it() -> None:
    declared = [value for value in load_settings().model_dump().values() if isinstance(value, Path)]
    folders = {
        path.relative_to(PROJECT_DIR).parts[0] for path in declared if path.is_relative_to(PROJECT_DIR)
    }
    assert {"segments", "templates"} <= folders
    allowed = {
        line.removeprefix("!") for line in (PROJECT_DIR / ".dockerignore").read_text().splitlines() if line
    }
    assert {*folders, "dashboard", "marketing_platform", "serving"} <= allowed
