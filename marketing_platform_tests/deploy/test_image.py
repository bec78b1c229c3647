"""What the image is made of: everything that the platform reads of its own repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

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
    for dockerfile in (PROJECT_DIR / "Dockerfile", PROJECT_DIR / "deploy" / "spark.Dockerfile"):
        copied = re.findall(r"^COPY (\S+\.lock) ", dockerfile.read_text(), re.MULTILINE)
        assert copied
        assert set(copied) <= allowed


def test_the_image_with_spark_adds_what_the_extra_asks_for_and_changes_nothing_else() -> None:
    asked = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        "spark"
    ]
    added = _pinned("requirements-spark.lock").items() - _pinned("requirements-servers.lock").items()
    assert {name for name, _ in added} == {"py4j", "pyspark"}
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(_pinned("requirements-spark.lock")[requirement.name])


def _pinned(lock: str) -> dict[str, str]:
    lines = (PROJECT_DIR / lock).read_text().splitlines()
    return dict(line.partition(" ")[0].split("==") for line in lines if re.match(r"[\w.-]+==", line))
