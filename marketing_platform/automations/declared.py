"""`webhooks.yaml`: who is told of what (endpoints), and which signed calls may do what (hooks).

Secrets are not in the file. Each endpoint and hook has a variable of its own, made of its name:
`MARKETING_WEBHOOK_SECRET_<NAME>` and `MARKETING_HOOK_SECRET_<NAME>`, or the same with `_FILE` at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from marketing_platform.addresses import host_of, is_allowed
from marketing_platform.automations.events import EventType
from marketing_platform.automations.signing import keys_of
from marketing_platform.declarations import (
    Choice,
    Declaration,
    Declared,
    KeyPath,
    Problem,
    load_declaration,
    repeated,
)
from marketing_platform.errors import AutomationError, InputError
from marketing_platform.stores.credentials import secret

FILE = "webhooks.yaml"
CALL = "{call}"  # in the name of what a call lands: unique to it

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Job = Literal["publish", "tune", "collect"]
_URL = re.compile(r"[\x21-\x7e]{1,2000}")
_OBJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*")


class _Party(Declared):
    @property
    def variable(self) -> str:
        """The environment variable with the secret."""
        raise NotImplementedError

    def keys(self) -> tuple[bytes, ...]:
        """What signs; two keys while one replaces the other.

        Raises:
            AutomationError: The secret is not given, twice, or is none.
        """
        value, file = os.environ.get(self.variable), os.environ.get(f"{self.variable}_FILE")
        if (value is None) == (file is None):
            given = "is not set" if value is None else "is set as well as its _FILE"
            raise AutomationError(
                f"{self.variable} {given}; `marketing-platform webhooks secret` makes a secret, for this"
                f" variable or for a file that {self.variable}_FILE names"
            )
        try:
            found = secret(SecretStr(value) if value is not None else None, Path(file) if file else None)
            return keys_of(found or "")
        except (OSError, UnicodeDecodeError):
            raise AutomationError(f"{self.variable}_FILE names {file}, which cannot be read") from None
        except InputError as error:
            raise AutomationError(f"{self.variable}: {error}") from None


class Endpoint(_Party):
    """Who is told of events."""

    name: Name
    url: str
    events: tuple[EventType, ...] = Field(min_length=1)

    @property
    def variable(self) -> str:
        """The environment variable with the secret."""
        return f"MARKETING_WEBHOOK_SECRET_{self.name.upper()}"


class Hook(_Party):
    """What one signed call may do: land its body as a file, or start a run."""

    name: Name
    land: str | None = None
    run: Job | None = None

    @property
    def variable(self) -> str:
        """The environment variable with the secret."""
        return f"MARKETING_HOOK_SECRET_{self.name.upper()}"


class Automations(Declared):
    """All of the file."""

    endpoints: tuple[Endpoint, ...] = ()
    hooks: tuple[Hook, ...] = ()

    def parties(self) -> Iterator[Endpoint | Hook]:
        """Everyone who has a secret."""
        yield from self.endpoints
        yield from self.hooks


def load_automations(folder: Path, *, allowed_hosts: Iterable[str] = ()) -> Automations:
    """What `webhooks.yaml` of a folder declares; nothing where there is no such file.

    Raises:
        AutomationError: With file, line and key of everything that is wrong.
    """
    path = folder / FILE
    if not path.exists():
        return Automations()
    allowed = frozenset(allowed_hosts)

    def problems(_: Mapping[str, Any], found: Automations | None) -> Iterator[Problem]:
        if found is not None:
            yield from _problems(found, allowed)

    return load_declaration(path, Declaration(Automations, AutomationError, _part_at, problems))


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    parts: dict[object, type[BaseModel]] = {"endpoints": Endpoint, "hooks": Hook}
    return parts.get(path[0]) if len(path) == 2 else None  # noqa: PLR2004 -- an entry of a list


def _problems(found: Automations, allowed: frozenset[str]) -> Iterator[Problem]:
    yield from repeated("endpoints", "name", [one.name for one in found.endpoints])
    yield from repeated("hooks", "name", [one.name for one in found.hooks])
    for index, endpoint in enumerate(found.endpoints):
        if expected := _unfit_url(endpoint.url, allowed):
            yield Problem(("endpoints", index, "url"), expected, repr(endpoint.url))
    for index, hook in enumerate(found.hooks):
        if (hook.land is None) == (hook.run is None):
            yield Problem(("hooks", index), "either `land` or `run`", hook.name)
        if hook.land is not None and not _lands(hook.land):
            expected = f"the name of a file with {CALL} in it, such as shop/orders_{CALL}.csv"
            yield Problem(("hooks", index, "land"), expected, repr(hook.land))


def _unfit_url(url: str, allowed: frozenset[str]) -> str | None:
    try:
        parts = urlsplit(url)
        host, port = host_of(url)
    except ValueError:
        return "a URL such as https://hooks.example.com/marketing"
    if parts.username is not None or parts.fragment or not _URL.fullmatch(url):
        return "a URL without user, fragment or characters that are not ASCII"
    if parts.scheme == "https" or (parts.scheme == "http" and is_allowed(host, port, allowed)):
        return None
    return "a URL with https (or a host that MARKETING_WEBHOOKS_ALLOWED_HOSTS names)"


def _lands(name: str) -> bool:
    return name.count(CALL) == 1 and bool(_OBJECT.fullmatch(name.replace(CALL, "0")))
