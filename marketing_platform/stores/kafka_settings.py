"""How messages are read from Kafka, and how many are gathered before they land (`MARKETING_KAFKA_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings

# A topic is a folder of the landing zone, where a dot at the beginning hides it.
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")]


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _each_once(topics: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(topics)) < len(topics):
        raise ValueError("topics that differ from each other")
    return topics


Topics = Annotated[
    tuple[Topic, ...], NoDecode, BeforeValidator(_split), AfterValidator(_each_once), Field(min_length=1)
]


class KafkaSettings(ServerSettings):
    """Endpoint, credentials, deadlines, and the size of what lands at once."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_KAFKA_", extra="ignore", frozen=True)
    address_field = "bootstrap_servers"

    bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="`host:port`, several brokers with commas between."
    )
    topics: Topics = Field(
        ("events",),
        description="Names with commas between; topic T lands in `stream/T/`, which a source declares.",
    )
    group: str = Field("marketing-platform", min_length=1, description="The consumer group.")
    security_protocol: Literal["SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT"] = Field(
        "SASL_SSL", description="With SSL: encrypted, and the broker's certificate and name verified."
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field("SCRAM-SHA-512")
    user: str | None = Field(None, description="Needed with SASL.")
    password: SecretStr | None = Field(None, description="Needed with SASL.")
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    certificate_file: Path | None = Field(None, description="Our own certificate, where brokers ask for one.")
    key_file: Path | None = Field(None, description="The private key of that certificate.")
    connect_seconds: float = Field(5.0, ge=1, description="To connect to a broker.")
    answer_seconds: float = Field(15.0, ge=1, description="For one answer of a broker.")
    session_seconds: float = Field(
        30.0, ge=1, description="A consumer that was silent for so long loses its partitions to the others."
    )
    landing_seconds: float = Field(
        300.0, ge=10, description="A consumer that lands for longer than this loses its partitions too."
    )
    unreachable_seconds: float = Field(
        60.0, ge=1, description="Without a broker for so long, the consumer ends with an error."
    )
    batch_rows: int = Field(
        50_000, ge=1, le=1_000_000, description="So many messages of a partition land together, or"
    )
    batch_seconds: float = Field(60.0, gt=0, description="what came within so long after the first, or")
    batch_bytes: int = Field(
        64 << 20, ge=1 << 10, le=4 << 30, description="once all partitions hold so much, the fullest."
    )
    max_message_bytes: int = Field(1 << 20, ge=1 << 10, description="A longer message goes to quarantine.")
    max_waiting: int = Field(
        200, ge=1, description="When more landed objects wait to be judged, reading pauses until half do."
    )
    prefetch_bytes: int = Field(
        64 << 20, ge=1 << 20, description="What the client fetches ahead of the landing, at most."
    )

    @model_validator(mode="after")
    def _check_credentials(self) -> KafkaSettings:
        given = self.user is not None and (self.password is not None or self.password_file is not None)
        if self.security_protocol.startswith("SASL") and not given:
            raise ValueError(
                f"{self.security_protocol} needs MARKETING_KAFKA_USER and either"
                " MARKETING_KAFKA_PASSWORD or MARKETING_KAFKA_PASSWORD_FILE"
            )
        return self

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"Kafka at {self.bootstrap_servers}"

    def client(self) -> dict[str, Any]:
        """What every client is given; its own deadlines are a minute and more."""
        given: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": "marketing-platform",
            "log_level": 2,  # what matters is raised; the rest is about connections that it mends itself
            "security.protocol": self.security_protocol,
            "ssl.ca.location": str(self.ca_file) if self.ca_file else None,
            "ssl.certificate.location": str(self.certificate_file) if self.certificate_file else None,
            "ssl.key.location": str(self.key_file) if self.key_file else None,
            "socket.connection.setup.timeout.ms": round(self.connect_seconds * 1000),
            "socket.timeout.ms": round(self.answer_seconds * 1000),
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 2000,  # a broker that came back is seen after two seconds, not ten
        }
        if self.security_protocol.startswith("SASL"):
            given |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.user,
                "sasl.password": secret(self.password, self.password_file),
            }
        return {name: value for name, value in given.items() if value is not None}

    def consumer(self) -> dict[str, Any]:
        """What the consumer is given; it is told where to begin and what to commit, and never guesses."""
        return {
            **self.client(),
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": round(self.session_seconds * 1000),
            "heartbeat.interval.ms": max(100, round(self.session_seconds * 1000 / 10)),
            "max.poll.interval.ms": round(max(self.landing_seconds, self.session_seconds) * 1000),
            "queued.max.messages.kbytes": self.prefetch_bytes >> 10,
            "fetch.wait.max.ms": 100,
            "fetch.message.max.bytes": min(self.prefetch_bytes, 4 << 20),
        }
