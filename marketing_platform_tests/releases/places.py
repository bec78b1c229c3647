"""Where records can be kept; each place opens them anew, in whatever process it is sent to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from marketing_platform.releases.records import Records, in_folder, in_postgres
from marketing_platform_tests.servers.shared import shared

if TYPE_CHECKING:
    from marketing_platform.stores.postgres_settings import PostgresSettings


class Place(Protocol):
    def open(self) -> Records: ...


@dataclass(frozen=True)
class Folder:
    data_dir: Path

    def open(self) -> Records:
        return in_folder(self.data_dir)


@dataclass(frozen=True)
class Postgres:
    settings: PostgresSettings

    def open(self) -> Records:
        return in_postgres(self.settings)


def on_postgres() -> Postgres:
    """Records of an installation of its own on the session's server."""
    from marketing_platform_tests.servers import postgres

    return Postgres(postgres.settings(shared(postgres.running)))
