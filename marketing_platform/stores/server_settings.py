"""What the settings of all servers have in common: how secrets are judged, and how mistakes are told.

Endpoints, deadlines and their defaults belong to each server's own `<name>_settings.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings

from marketing_platform.stores.credentials import on_loopback, refused, secret


class ServerSettings(BaseSettings):
    """Base of the models whose fields hold secrets; nobody's default password gets past it.

    A field with a secret, `password`, has a neighbour `password_file`. Only one of both may be given. A
    server on this machine may keep a default; whether a server asks for a secret at all is its own matter.
    """

    address_field: ClassVar[str] = "host"  # the field that says where the server is

    @model_validator(mode="after")
    def _judge_secrets(self) -> Self:
        address = str(getattr(self, self.address_field) or "")
        for name, value, file in self.secrets():
            variable = f"{self.model_config.get('env_prefix', '')}{name.upper()}"
            if value is not None and file is not None:
                raise ValueError(f"{variable} and {variable}_FILE are both given; keep one of them")
            try:
                found = secret(value, file)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
                raise ValueError(f"{variable}_FILE names {file}, which cannot be read: {reason}") from None
            if found is not None and (reason := refused(found)) and not on_loopback(address):
                raise ValueError(f"{variable} is refused: {reason}; give the server one of its own")
        return self

    def secrets(self) -> list[tuple[str, SecretStr | None, Path | None]]:
        """Each secret: its field, what was given, and the file that was given instead."""
        fields = type(self).model_fields
        return [
            (name, getattr(self, name), getattr(self, f"{name}_file"))
            for name in fields
            if f"{name}_file" in fields
        ]


def variables(kind: type[BaseSettings]) -> dict[str, str]:
    """The environment variables of a model, and the field each one fills."""
    prefix = kind.model_config.get("env_prefix", "")
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name.upper()}": name
        for name, field in kind.model_fields.items()
    }


def mistakes(kind: type[BaseSettings], error: ValidationError) -> list[str]:
    """Every mistake by its variable: what was expected, never what was given."""
    prefix = kind.model_config.get("env_prefix", "")
    told: list[str] = []
    for detail in error.errors(include_input=False, include_url=False):
        message = detail["msg"].removeprefix("Value error, ")
        place = "_".join(str(part) for part in detail["loc"]).upper()
        if not place:  # of the model as a whole; the message names what it is about
            told.append(message if prefix in message else f"{prefix}…: {message}")
        else:
            told.append(f"{place if place.startswith('STORAGE_') else prefix + place}: {message}")
    return told
