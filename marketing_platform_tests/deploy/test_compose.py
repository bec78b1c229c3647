"""docker-compose.yml is valid, keeps no secret, names versions, and runs commands that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from typing import Any

import click
import dagster_webserver.cli
import jsonschema
import pytest
import typer
from dagster._cli import cli as dagster_cli
from dagster._daemon.cli import cli as daemon_cli

from marketing_platform.cli.app import app
from marketing_platform_tests.deploy import compose
from marketing_platform_tests.deploy.variables import known

_SCHEMA = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
_INTERPOLATED = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(:\?|:-|)([^}]*)\}")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY$")
# Typer brings a Click of its own.
_WRONG_USAGE = (click.UsageError, typer.BadParameter.__mro__[1])
_PROGRAMS: dict[str, Any] = {
    "marketing-platform": typer.main.get_command(app),
    "dagster": dagster_cli,
    "dagster-daemon": daemon_cli,
    "dagster-webserver": dagster_webserver.cli.cli,
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return compose.document()["services"]


def test_it_keeps_to_the_published_schema() -> None:
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    document = compose.document()
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "services": {"api": {"imagee": "x"}}}, schema)


def test_every_image_has_a_version(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].rpartition(":")
        assert "/" not in tag, name
        assert "latest" not in tag, name
        assert any(character.isdigit() for character in tag) or "build" in service, name


def test_no_secret_has_a_default() -> None:
    text = compose.FILE.read_text(encoding="utf-8")
    found = {name: how for name, how, _ in _INTERPOLATED.findall(text)}
    secrets = {name for name in found if _SECRET.search(name)}
    assert len(secrets) >= 6
    assert {found[name] for name in secrets} == {":?"}
    for name, service in compose.document()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if _SECRET.search(variable) or ("AUTH" in variable and "AUTHORIZATION" not in variable):
                assert "${" in value, f"{variable} of {name} is written out"


def test_everything_it_asks_for_is_in_the_example(services: dict[str, dict[str, Any]]) -> None:
    text = compose.FILE.read_text(encoding="utf-8")
    required = {name for name, how, _ in _INTERPOLATED.findall(text) if how == ":?"}
    example = (compose.PROJECT / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))
    assert required <= offered
    passed_on = {
        name
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    assert offered - required - {"COMPOSE_PROFILES"} == passed_on


def test_the_example_holds_no_secret() -> None:
    example = (compose.PROJECT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^[A-Z0-9_]*PASSWORD=(.*)$", example, re.MULTILINE)) == {""}


def test_ports_are_bound_to_loopback(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_service_is_watched_bounded_and_cannot_gain_rights(services: dict[str, dict[str, Any]]) -> None:
    ends_by_itself_or_has_no_door = {"first-run", "stream", "webhooks"}
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert name in ends_by_itself_or_has_no_door or service["healthcheck"]["test"], name
    for name, service in compose.ours().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name


def test_whoever_waits_waits_for_something_that_says_when_it_is_ready(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], (name, other)
            else:
                assert how["condition"] == "service_completed_successfully", (name, other)
                assert services[other]["restart"] == "no", (name, other)


def test_the_api_starts_after_the_first_release_and_never_before(services: dict[str, dict[str, Any]]) -> None:
    first, api = services["first-run"], services["api"]
    assert first["command"] == ["marketing-platform", "run"]
    assert api["depends_on"]["first-run"] == {"condition": "service_completed_successfully"}


def test_what_is_kept_is_kept_in_a_volume(services: dict[str, dict[str, Any]]) -> None:
    used = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == set(compose.document()["volumes"])


def test_every_variable_is_a_setting() -> None:
    for name, service in compose.ours().items():
        given = {variable for variable in service["environment"] if variable.startswith("MARKETING_")}
        assert given <= known(), f"{name}: {sorted(given - known())}"


@pytest.mark.parametrize("service", sorted(compose.ours()))
def test_every_command_exists(service: str) -> None:
    program, *arguments = compose.ours()[service]["command"]
    if program == "python":
        _accepts_module(arguments)
        return
    _parse(_PROGRAMS[program], program, arguments)


@pytest.mark.parametrize("service", ["code", "daemon"])
def test_health_checks_of_dagster_exist(service: str) -> None:
    _, program, *arguments = compose.ours()[service]["healthcheck"]["test"]
    _parse(_PROGRAMS[program], program, arguments)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(_WRONG_USAGE):
        _parse(_PROGRAMS["marketing-platform"], "marketing-platform", ["runn"])
    with pytest.raises(_WRONG_USAGE):
        _parse(_PROGRAMS["dagster"], "dagster", ["code-server", "start", "--prt", "1"])


def _parse(command: Any, name: str, arguments: list[str], parent: Any = None) -> None:
    """Read a command line without running it."""
    context = command.make_context(name, list(arguments), parent=parent)
    if hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        sub_name, sub, sub_arguments = command.resolve_command(context, rest)
        _parse(sub, sub_name, sub_arguments, context)


def _accepts_module(arguments: list[str]) -> None:
    shown = subprocess.run(
        [sys.executable, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=compose.PROJECT,
    )
    options = [word for word in arguments[2:] if word.startswith("--")]
    assert options
    assert all(option in shown.stdout for option in options)
