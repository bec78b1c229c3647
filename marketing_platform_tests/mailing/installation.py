"""A small installation that e-mails are sent from: people, lists and segments of one release."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.content.email.spec import Campaign
from marketing_platform.content.people import PEOPLE, Person
from marketing_platform.content.segments.queries import MEMBERS
from marketing_platform.experiments.released import ARMS, RESULTS, report_of
from marketing_platform.experiments.spec import Declarations, Experiment
from marketing_platform.mailing.audience import Audience
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.sending import Mail, Report, send_campaign
from marketing_platform.mailing.transports import FolderTransport, SmtpTransport, Transport
from marketing_platform.recommenders.answers import (
    ANSWER_SCHEMA,
    ProductItem,
    ProductRecommendationsAnswer,
)
from marketing_platform.recommenders.prepared import PRODUCT_LISTS
from marketing_platform.recommenders.rules import rules_of_answers
from marketing_platform.releases.manifest import AnswersEntry, Manifest, ReportEntry, TableEntry, Totals
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, open_stores
from marketing_platform_tests.emails.people import person, templates
from marketing_platform_tests.stored_answers import answer_table, with_spares

NOON = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
CAMPAIGN = Campaign.model_validate(
    {"campaign": "picks", "segment": "everybody", "template": "weekly_picks", "every": "week"}
)


@dataclass
class Installation:
    """Where a release with some people is sent from."""

    data_dir: Path
    people: Sequence[Person] = ()
    members: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    made_at: datetime = NOON - timedelta(hours=1)
    experiments: Sequence[dict[str, Any]] = ()

    @property
    def settings(self) -> Settings:
        return Settings(profile="embedded", data_dir=self.data_dir)

    @property
    def records(self) -> Records:
        return open_records(self.settings)

    def written(self) -> Manifest:
        """The release, with whoever is in it."""
        stores, suffix = open_stores(self.settings), secrets.token_hex(4)
        people = {one.user_id: _document(one) for one in self.people}
        rows = pa.table({"key": [*people], "answer": [*people.values()]}, schema=ANSWER_SCHEMA)
        lists = with_spares(
            answer_table(_list(one.user_id) for one in self.people),
            shown=2,
            categories=dict.fromkeys(_PRODUCTS, "Camping"),
        )
        nobody = pa.table({"key": [], "answer": []}, schema=ANSWER_SCHEMA)
        named = {PEOPLE: [rows], PRODUCT_LISTS: [lists], ARMS: [nobody]}
        answers = {
            kind: AnswersEntry(
                name=f"{kind}__{suffix}", rows=stores.answers.write(f"{kind}__{suffix}", chunks)
            )
            for kind, chunks in named.items()
        }
        return Manifest(
            release_id="r-1",
            created_at=self.made_at,
            previous=None,
            run_id="run",
            code_version="0",
            profile="embedded",
            totals=Totals(
                rows_landed=0, rows_valid=0, rows_quarantined=0, users=0, campaigns=0, vectors=0, edges=0
            ),
            batches=(),
            answers=answers,
            tables={MEMBERS: self._segments(stores, suffix)},
            reports=self._experiments(stores, suffix),
        )

    def mail(self, settings: MailSettings | None = None) -> Mail:
        """What it sends with; a folder unless settings say otherwise."""
        records = self.records
        return Mail(
            templates=templates(),
            settings=settings or MailSettings(),
            ledger=records.mail,
            overrides=records.overrides,
            erasures=records.erasures,
            rules=rules_of_answers(()),
            transport=partial(_transport, self.data_dir, settings or MailSettings()),
            objects=open_stores(self.settings).objects,
        )

    def send(
        self,
        mail: Mail | None = None,
        *,
        at: datetime = NOON,
        campaign: Campaign = CAMPAIGN,
        manifest: Manifest | None = None,
        dry_run: bool = False,
    ) -> Report:
        """One run of a campaign at that moment."""
        with Audience(open_stores(self.settings), manifest or self.written()) as audience:
            return send_campaign(mail or self.mail(), audience, campaign, clock=lambda: at, dry_run=dry_run)

    def _experiments(self, stores: Stores, suffix: str) -> dict[str, ReportEntry]:
        declared = Declarations(tuple(Experiment.model_validate(one) for one in self.experiments))
        name = f"{RESULTS}__{suffix}"
        stores.reports.write(name, report_of(declared, []))
        return {RESULTS: ReportEntry(name=name)}

    def _segments(self, stores: Stores, suffix: str) -> TableEntry:
        everybody = {"everybody": [one.user_id for one in self.people], **self.members}
        pairs = [(segment, user) for segment, users in everybody.items() for user in users]
        schema = pa.schema([("segment", pa.string()), ("user_id", pa.string())])
        table = pa.table({"segment": [s for s, _ in pairs], "user_id": [u for _, u in pairs]}, schema=schema)
        with stores.warehouse.writer(f"{MEMBERS}__{suffix}", schema) as part:
            part.add(table)
        stored = part.stored
        columns = {column.name: str(column.type) for column in schema}
        return TableEntry(
            parts=stored.ref.parts, columns=columns, rows=stored.rows, fingerprint=stored.fingerprint
        )


def somebody(number: int, **different: str | bool | None) -> Person:
    """A person with an address of their own who agreed."""
    user_id = f"u-{number}"
    return person(user_id, email=f"{user_id}@example.com", **different)  # pyright: ignore[reportArgumentType]


def eml_files(data_dir: Path) -> list[Path]:
    """What was written in the place of sending."""
    return sorted((data_dir / "mail").glob("*.eml"))


_PRODUCTS = ("p-1", "p-2", "p-3")


def _list(user_id: str) -> ProductRecommendationsAnswer:
    items = tuple(
        ProductItem(
            product_id=product,
            name=f"Product {product}",
            score=1.0,
            reason="-",
            rules=(),
            contributions=(),
            path=(),
            already_bought=False,
        )
        for product in _PRODUCTS
    )
    return ProductRecommendationsAnswer(user_id=user_id, strategy="popular", items=items)


def _document(one: Person) -> bytes:
    return orjson.dumps(dataclasses.asdict(one), option=orjson.OPT_UTC_Z)


def _transport(data_dir: Path, settings: MailSettings) -> Transport:
    return SmtpTransport(settings) if settings.transport == "smtp" else FolderTransport(data_dir / "mail")


def left_out(report: Report) -> dict[str, int]:
    """Why some got nothing."""
    return {str(reason): count for reason, count in report.left_out.items()}


def ids(people: Iterable[Person]) -> list[str]:
    return [one.user_id for one in people]
