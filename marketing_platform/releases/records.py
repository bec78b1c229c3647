"""Where an installation keeps its records: the one place that opens them, by profile.

`embedded` keeps them in the data folder, `servers` in PostgreSQL, where several machines share them.
Data is not here: see `stores/registry.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from marketing_platform.access.register import KEY_TABLES, KeyRegister
from marketing_platform.releases.calls import CALL_TABLES, Calls
from marketing_platform.releases.erasures import ERASURE_TABLES, Erasures
from marketing_platform.releases.ledger import LEDGER_TABLES, Ledger
from marketing_platform.releases.mail import MAIL_TABLES, MailLedger
from marketing_platform.releases.notices import NOTICE_TABLES, DatabaseNotices, FileNotices, Notices
from marketing_platform.releases.outbox import OUTBOX_TABLES, Outbox
from marketing_platform.releases.overrides import OVERRIDE_TABLES, Overrides
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.shelf_folder import FolderShelf
from marketing_platform.releases.writer import WriterLock, folder_lock
from marketing_platform.releases.writes import WRITES_TABLES, Writes
from marketing_platform.settings import Settings
from marketing_platform.stores.records_sqlite import SqliteRecords

if TYPE_CHECKING:
    from marketing_platform.stores.postgres_settings import PostgresSettings


@dataclass(frozen=True)
class Records:
    """What landed, what was released, who may write and call, what people were told and decided since.

    And what the API took in, what others are told, which calls of theirs were taken, which mails were sent.
    """

    ledger: Ledger
    shelf: ReleaseShelf
    writer: WriterLock
    notices: Notices
    keys: KeyRegister
    overrides: Overrides
    erasures: Erasures
    writes: Writes
    outbox: Outbox
    calls: Calls
    mail: MailLedger


def open_records(settings: Settings) -> Records:
    """The records of the profile; nothing is contacted, or made, before its first use."""
    if settings.profile == "embedded":
        return in_folder(settings.data_dir)
    # An embedded installation need not have the client of PostgreSQL.
    from marketing_platform.stores.postgres_settings import PostgresSettings
    from marketing_platform.stores.registry import from_environment

    return in_postgres(from_environment(PostgresSettings))


def in_folder(data: Path) -> Records:
    """Records below a folder of a local disk."""
    return Records(
        ledger=Ledger(SqliteRecords(data / "ledger.sqlite", LEDGER_TABLES)),
        shelf=FolderShelf(data / "releases"),
        writer=folder_lock(data / ".writer.lock"),
        notices=FileNotices(data / "notices.jsonl"),
        keys=KeyRegister(SqliteRecords(data / "keys.sqlite", KEY_TABLES)),
        overrides=Overrides(SqliteRecords(data / "overrides.sqlite", OVERRIDE_TABLES)),
        erasures=Erasures(SqliteRecords(data / "erasures.sqlite", ERASURE_TABLES)),
        writes=Writes(SqliteRecords(data / "writes.sqlite", WRITES_TABLES)),
        outbox=Outbox(SqliteRecords(data / "outbox.sqlite", OUTBOX_TABLES)),
        calls=Calls(SqliteRecords(data / "calls.sqlite", CALL_TABLES)),
        mail=MailLedger(SqliteRecords(data / "mail.sqlite", MAIL_TABLES)),
    )


def in_postgres(postgres: PostgresSettings) -> Records:
    """Records in the database of these settings, in a schema beside the warehouse's."""
    from marketing_platform.releases.shelf_database import SHELF_TABLES, DatabaseShelf
    from marketing_platform.stores.lock_postgres import postgres_lock
    from marketing_platform.stores.records_postgres import PostgresRecords

    tables = (
        *(LEDGER_TABLES, SHELF_TABLES, NOTICE_TABLES, KEY_TABLES),
        *(OVERRIDE_TABLES, ERASURE_TABLES, WRITES_TABLES, OUTBOX_TABLES, CALL_TABLES, MAIL_TABLES),
    )
    database = PostgresRecords(postgres, {name: sql for each in tables for name, sql in each.items()})
    return Records(
        ledger=Ledger(database),
        shelf=DatabaseShelf(database),
        writer=WriterLock(postgres.where, partial(postgres_lock, postgres)),
        notices=DatabaseNotices(database),
        keys=KeyRegister(database),
        overrides=Overrides(database),
        erasures=Erasures(database),
        writes=Writes(database),
        outbox=Outbox(database),
        calls=Calls(database),
        mail=MailLedger(database),
    )
