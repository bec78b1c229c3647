"""How e-mails leave (`MARKETING_MAIL_…`); what they say and who gets them is in `templates/email/`."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from marketing_platform.content.email.texts import as_address, as_url
from marketing_platform.stores.server_settings import ServerSettings


class MailSettings(ServerSettings):
    """Transport, sender, deadlines. Without any of it, e-mails are files and nobody gets one."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_MAIL_", extra="ignore", frozen=True)

    transport: Literal["folder", "smtp", "webhook"] = Field(
        "folder", description="folder: each e-mail becomes a file, and nothing is sent."
    )
    folder: Path | None = Field(None, description="For those files; `mail/` in the data folder unless given.")
    sender: str = Field("newsletter@example.com", description="Address that e-mails are from.")
    reply_to: str | None = Field(None, description="Address that answers go to, where it is another one.")
    public_url: str = Field(
        "https://api.example.com",
        description="Where mail programs reach the API to unsubscribe, with https.",
    )
    host: str = Field("127.0.0.1", description="The SMTP server.")
    port: int = Field(587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="none only for a server on this machine."
    )
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    user: str | None = Field(None, description="Left out where the server asks for none.")
    password: SecretStr | None = Field(None)
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    webhook_url: str | None = Field(None, description="Who is called for each e-mail, with https.")
    webhook_secret: SecretStr | None = Field(
        None, description="Signs the calls; `marketing-platform webhooks secret` makes one."
    )
    webhook_secret_file: Path | None = Field(None, description="A file with that secret, instead of it.")
    connect_seconds: float = Field(10.0, gt=0, le=60, description="To connect to the server.")
    answer_seconds: float = Field(30.0, gt=0, le=300, description="For each answer of the server.")
    attempts: int = Field(5, ge=1, le=50, description="An e-mail refused for now so often is given up.")
    wait_minutes: float = Field(30.0, gt=0, le=1440, description="Before it is tried again, at the earliest.")

    @property
    def lease(self) -> timedelta:
        """After which an e-mail whose process was killed counts as unknown."""
        return timedelta(seconds=2 * self.connect_seconds + 6 * self.answer_seconds)

    @property
    def trust(self) -> ssl.SSLContext:
        """Whom to trust."""
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, address in (("SENDER", self.sender), ("REPLY_TO", self.reply_to)):
            if address is not None and as_address(address) != address:
                raise ValueError(f"MARKETING_MAIL_{name} is no e-mail address in ASCII")
        if as_url(self.public_url, ("https",)) is None:
            raise ValueError("MARKETING_MAIL_PUBLIC_URL is no address such as https://api.example.com")
        if self.transport == "folder":
            return self
        given = self.model_fields_set
        missing = {"sender", "public_url"} - given
        if self.transport == "webhook":
            missing |= {"webhook_url"} - given
            if not given & {"webhook_secret", "webhook_secret_file"}:
                missing.add("webhook_secret")
        if missing:
            needed = ", ".join(f"MARKETING_MAIL_{name.upper()}" for name in sorted(missing))
            raise ValueError(f"{needed} must be set for MARKETING_MAIL_TRANSPORT={self.transport}")
        return self
