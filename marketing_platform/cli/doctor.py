"""`marketing-platform doctor`: does every datastore answer, what is missing, and how it is mended.

Renders what `stores/diagnoses.py` finds; which variables exist is said by the models of settings.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console

if TYPE_CHECKING:
    from marketing_platform.settings import Settings
    from marketing_platform.stores.diagnosis import Question

_NOT_OURS = {"MARKETING_PLATFORM_VERSION", "MARKETING_TEST_SERVERS"}  # of the image and of the tests


def doctor(
    data_dir: DataDir = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each may take, all at once.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Ask every datastore of the profile whether it is there; exit code 0 only if all is well."""
    from marketing_platform.stores.diagnoses import questions
    from marketing_platform.stores.diagnosis import diagnose

    settings = settings_of(data_dir)
    stream = any(name.startswith("MARKETING_KAFKA_") for name in os.environ)
    asked = [*questions(settings, stream=stream), _encoder(settings)]
    found = diagnose(asked, seconds=seconds)
    warnings = _warnings(os.environ)
    well = all(one.answers and not one.missing for one in found)
    if as_json:
        emit_json(
            {
                "profile": settings.profile,
                "ok": well,
                "stores": [asdict(one) for one in found],
                "warnings": warnings,
            }
        )
    else:
        emit_table(
            f"Profile {settings.profile}",
            ("role", "kind", "endpoint", "answers", "version", "ms"),
            (
                (one.roles, one.kind, one.endpoint, one.answers, one.version, one.milliseconds)
                for one in found
            ),
        )
        for one in found:
            for what in one.missing:
                console.print(f"{one.kind}: {what}", style="red", markup=False, soft_wrap=True)
        for warning in warnings:
            progress_console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    if not well:
        raise typer.Exit(1)


def _encoder(settings: Settings) -> Question:
    from marketing_platform.encoders import configured_encoder
    from marketing_platform.stores.diagnosis import Found, Question, timed

    def ask() -> Found:
        encoder = configured_encoder(settings, live=True)
        _, milliseconds = timed(lambda: encoder.encode(["Is anybody there?"]))
        return Found(encoder.name, milliseconds)

    where = (
        "in this process"
        if settings.encoder == "minilm"
        else os.environ.get("MARKETING_ENCODER_BASE_URL", "")
    )
    return Question("encoder", settings.encoder, _without_credentials(where), ask)


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _warnings(environment: Mapping[str, str]) -> list[str]:
    """Variables that nobody reads, and files that keep their secret badly."""
    from pathlib import Path

    from marketing_platform.access.api_settings import ApiSecretSettings
    from marketing_platform.access.token_settings import TokenSettings
    from marketing_platform.analytics.questions.models import ModelSettings
    from marketing_platform.encoders.provider_settings import ProviderSettings
    from marketing_platform.settings import Settings
    from marketing_platform.stores.credentials import loose
    from marketing_platform.stores.diagnoses import SERVERS
    from marketing_platform.stores.server_settings import variables
    from serving.limits.settings import LimitSettings

    known: set[str] = set(_NOT_OURS)
    ours = (Settings, LimitSettings, ApiSecretSettings, TokenSettings, ProviderSettings, ModelSettings)
    for kind in (*ours, *(server.settings() for server in SERVERS)):
        known |= variables(kind).keys()
    told: list[str] = []
    for name in sorted(environment):
        if not name.startswith("MARKETING_"):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            told.append(f"nobody reads {name}" + (f"; did you mean {near[0]}?" if near else ""))
        elif name.endswith(("_PASSWORD_FILE", "_SECRET_FILE", "_KEY_FILE", "_CREDENTIALS_FILE")):
            reason = loose(Path(environment[name]))
            told += [f"{name}: {reason}"] if reason else []
    return told
