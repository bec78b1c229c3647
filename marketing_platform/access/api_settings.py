"""The secret under which API keys are stored (`MARKETING_API_SECRET`), given or drawn once.

Where the API listens is in `settings.py`; tokens have `token_settings.py`.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from marketing_platform.errors import StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.credentials import secret
from marketing_platform.stores.registry import from_environment
from marketing_platform.stores.server_settings import ServerSettings

_SHORTEST = 32  # characters: as many as HMAC-SHA256 has bytes


class ApiSecretSettings(ServerSettings):
    """Changing the secret makes every key void: keys are verified under the one they were made with."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_API_", extra="ignore", frozen=True)
    address_field = "listens_on"

    secret: SecretStr | None = Field(
        None,
        description=f"Under which API keys are stored, {_SHORTEST} characters or more; the same for every "
        "process. The embedded profile draws one into its data folder unless given.",
    )
    secret_file: Path | None = Field(None, description="A file with the secret, instead of it.")

    @property
    def listens_on(self) -> None:
        """Nowhere: a secret that everybody knows is refused wherever the API listens."""

    @model_validator(mode="after")
    def _require_length(self) -> Self:
        found = self.found
        if found is not None and len(found) < _SHORTEST:
            raise ValueError(
                f"MARKETING_API_SECRET is shorter than {_SHORTEST} characters; `make env` draws one"
            )
        return self

    @property
    def found(self) -> str | None:
        """The secret itself, if one was given."""
        return secret(self.secret, self.secret_file)


def api_secret(settings: Settings) -> bytes:
    """The installation's secret; the embedded profile draws one into its data folder when none is given.

    Raises:
        StoreUnavailable: It is wrong, or the servers profile was given none.
    """
    found = from_environment(ApiSecretSettings).found
    if found is not None:
        return found.encode()
    if settings.profile != "embedded":
        raise StoreUnavailable(
            "MARKETING_API_SECRET is not set: API keys are stored under it; draw one with `make env`, and"
            " give the same to every process (or MARKETING_API_SECRET_FILE)"
        )
    path = settings.data_dir / "api-secret"
    with suppress(FileNotFoundError):
        return path.read_bytes()
    write_private(path, secrets.token_hex(_SHORTEST).encode())
    return path.read_bytes()


def write_private(path: Path, content: bytes) -> None:
    """A file for its owner alone, whole or not at all; one that is there already stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink()
