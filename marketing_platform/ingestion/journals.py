"""Which journal an installation writes to."""

from __future__ import annotations

from marketing_platform.ingestion.journal import Journal
from marketing_platform.ingestion.journal_objects import ObjectsJournal
from marketing_platform.ingestion.journal_spool import Recovered, SpoolJournal
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Objects


def journal_of(
    settings: Settings, objects: Objects, writes: WriteSettings, *, recovered: Recovered
) -> Journal:
    """A spool on the disk of the embedded profile; on servers the bucket. Nothing is touched yet."""
    if settings.profile == "embedded":
        return SpoolJournal(settings.data_dir.resolve() / "spool", objects, writes, recovered=recovered)
    return ObjectsJournal(objects, writes)
