"""Small releases, really built through the embedded stores; each generation differs everywhere."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import orjson
import pyarrow as pa
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from marketing_platform.analytics import aggregates
from marketing_platform.analytics.kpis.anomalies import Anomaly, Found, Judged
from marketing_platform.analytics.kpis.forecasting import forecast
from marketing_platform.analytics.kpis.forecasts import Forecasts, KpiForecast
from marketing_platform.analytics.kpis.reading import ANOMALIES, FORECASTS
from marketing_platform.catalog import tables
from marketing_platform.content.segments import Criteria, Segment
from marketing_platform.content.segments.report import report_of as segments_report
from marketing_platform.content.segments.spec import Bought
from marketing_platform.encoders import Encoder, open_encoder
from marketing_platform.experiments.counting import USERS as USERS_SEEN
from marketing_platform.experiments.judging import judge
from marketing_platform.experiments.released import ARMS, RESULTS, report_of
from marketing_platform.experiments.spec import Declarations, Experiment, Holdout, Metric
from marketing_platform.features.answers import feature_answers
from marketing_platform.features.loading import load_features
from marketing_platform.features.spec import FeatureFile, Features
from marketing_platform.graph import project_graph
from marketing_platform.graph.interests import MESSAGE_INTERESTS
from marketing_platform.recommenders.answers import (
    ANSWER_SCHEMA,
    CampaignItem,
    CampaignRecommendationsAnswer,
    Contribution,
    ItemCause,
    ItemContribution,
    PathStep,
    ProductItem,
    ProductRecommendationsAnswer,
    RankedCampaign,
    RankedCampaignsAnswer,
    SimilarUser,
    SimilarUsersAnswer,
)
from marketing_platform.recommenders.prepared import EVERYONE, PRODUCT_LISTS
from marketing_platform.releases.manifest import (
    AnswersEntry,
    CheckEntry,
    CollectionEntry,
    GraphEntry,
    Manifest,
    ReportEntry,
    TableEntry,
    Totals,
)
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings, load_settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores, open_stores
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.stored_answers import answer_table, with_spares
from serving.app import create_app
from serving.releases import (
    BOARD_IMAGES,
    CAMPAIGNS,
    CONTENT,
    CROSS_CATEGORY,
    FEATURES,
    PEOPLE,
    RECOMMENDATIONS,
    SIMILAR_USERS,
    TRENDING,
)

# About a list that other tests do not ask for.
EXPERIMENT: dict[str, Any] = {
    "experiment": "content_list",
    "hypothesis": "Others buy more.",
    "surface": "recommendations",
    "about": "content",
    "seed": "s",
    "control": "content",
    "arms": [
        {"arm": "content", "weight": 1, "list": "content"},
        {"arm": "other", "weight": 1, "list": "trending"},
    ],
    "starts": "2020-01-01",
    "metric": "purchase",
    "within_days": 14,
}
COUNTED = [
    {"experiment": "content_list", "arm": arm, "day": date(2026, 11, day), "counted": counted, "users": users}
    for arm, bought in (("content", 20), ("other", 45))
    for day in (1, 2)
    for counted, users in ((USERS_SEEN, 300), ("purchase", bought))
]
Response = Any  # of the test client, whichever HTTP library stands behind it
Logged = list[MutableMapping[str, Any]]

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
USERS = [f"u-{number}" for number in range(1, 7)]
EVALUATIONS = ("product_evaluation", "campaign_evaluation")
SEGMENTS = {"empty": "Nobody.", "first_two": "Two users."}
KINDS = ["message", "impression", "click", "convert"]
TEXTS = [
    "where is my card",
    "my card is lost",
    "top up failed",
    "cannot top up",
    "change my pin",
    "new pin please",
]


def campaigns_of(generation: int) -> list[str]:
    """Campaign ids tell their generation, so that every answer betrays what it was made from."""
    return [f"c-{number}-gen{generation}" for number in range(1, 5)]


def products_of(generation: int) -> list[str]:
    """The same for products."""
    return [f"p-{number}-gen{generation}" for number in range(1, 5)]


def spares_of(generation: int) -> list[str]:
    """Products that stand behind those that are shown."""
    return [f"p-{number}-gen{generation}" for number in range(5, 7)]


# What the products are, in their order.
CATEGORIES = ["Tents", "Boots", "Tents", None, "Boots", "Tents"]


@dataclass
class Platform:
    """Where releases are built and published."""

    settings: Settings
    stores: Stores
    shelf: ReleaseShelf

    def release_id(self, generation: int) -> str:
        return f"r-gen{generation}"

    def build(self, generation: int, *, passed: bool = True) -> Manifest:
        """Write everything that a release of this generation needs, and describe it.

        It is made once per process and copied from then on: tests of the API are hundreds.
        """
        made, manifest = _made(generation)
        shutil.copytree(made, self.settings.data_dir, symlinks=True, dirs_exist_ok=True)
        checks = (CheckEntry(asset="events", check="rules", passed=passed, blocking=True),)
        return manifest.model_copy(update={"previous": self.shelf.current(), "checks": checks})

    def make(self, generation: int) -> Manifest:
        """What `build` copies."""
        stored = self._tables(generation)
        described = {name: _entry(table) for name, table in stored.items()}
        return Manifest(
            release_id=self.release_id(generation),
            created_at=MORNING + timedelta(days=1, minutes=generation),
            previous=None,
            run_id=f"run-{generation}",
            code_version="0",
            profile="embedded",
            totals=Totals(
                rows_landed=0, rows_valid=0, rows_quarantined=0, users=6, campaigns=4, vectors=6, edges=0
            ),
            batches=(),
            tables=described,
            vectors={"message_embeddings": self._vectors(generation)},
            graphs={"knowledge_graph": self._graph(generation, stored)},
            answers=self._answers(generation),
            reports=self._reports(generation),
            checks=(),
        )

    def publish(self, generation: int, *, passed: bool = True) -> Manifest:
        manifest = self.build(generation, passed=passed)
        self.shelf.publish(manifest, expected=self.shelf.current())
        return manifest

    def app(self) -> FastAPI:
        return create_app(self.settings, encoder=encoder, poll_seconds=0.02)

    def client(self, app: FastAPI | None = None, **options: Any) -> TestClient:
        """A client of the API (or of another application over the same records) that may do everything."""
        return client_of(self.settings, app or self.app(), **options)

    def _tables(self, generation: int) -> dict[str, StoredTable]:
        rows = _rows(generation)
        stored: dict[str, StoredTable] = {}
        for name, declared in tables().items():
            with self.stores.warehouse.writer(f"{name}__gen{generation}", declared.arrow_schema) as part:
                part.add(_typed(name, rows.get(name, [])))
            stored[name] = part.stored
        admitted = pa.table({"batch_id": ["sample@0"], "source": ["sample"]})
        with self.stores.warehouse.writer(f"admitted_batches__gen{generation}", admitted.schema) as part:
            part.add(admitted)
        refs = {name: table.ref for name, table in stored.items()} | {"admitted_batches": part.stored.ref}
        for name, rows_of in _made_tables().items():
            with self.stores.warehouse.writer(f"{name}__gen{generation}", rows_of.schema) as part:
                part.add(rows_of)
            stored[name], refs[name] = part.stored, part.stored.ref
        for name, declared in aggregates().items():
            reads = [refs[read] for read in declared.reads]
            stored[name] = self.stores.warehouse.create(
                f"{name}__gen{generation}", Select(declared.query, reads)
            )
            refs[name] = stored[name].ref
        return stored

    def _graph(self, generation: int, stored: dict[str, StoredTable]) -> GraphEntry:
        refs = [table.ref for table in stored.values()]
        nodes, relations = project_graph(lambda sql: [self.stores.warehouse.query(Select(sql, refs))])
        name = f"knowledge_graph__gen{generation}"
        counts = self.stores.graphs.write(name, nodes, relations)
        return GraphEntry(name=name, nodes=dict(counts.nodes), relations=dict(counts.relations))

    def _vectors(self, generation: int) -> CollectionEntry:
        name = f"message_embeddings__gen{generation}"
        rows = pa.table(
            {
                "record_id": [f"m-{user}" for user in USERS],
                "user_id": USERS,
                "text_embedding": pa.array(list(encoder().encode(TEXTS)), pa.list_(pa.float32(), 384)),
            }
        )
        count = self.stores.vectors.write(name, [rows], dim=384)
        return CollectionEntry(name=name, rows=count, dim=384, model=encoder().name)

    def _answers(self, generation: int) -> dict[str, AnswersEntry]:
        made = {
            SIMILAR_USERS: [_similar(user, generation) for user in USERS],
            RECOMMENDATIONS: [_recommended(user, generation) for user in USERS],
            CAMPAIGNS: [_campaigns(user, generation) for user in USERS],
        }
        tables = {kind: [answer_table(answers)] for kind, answers in made.items()}
        for kind in (PRODUCT_LISTS, CROSS_CATEGORY, CONTENT):
            tables[kind] = _stored([_products(user, generation) for user in USERS], generation)
        exceptions = {"key": USERS, "answer": [_not_for(user) for user in USERS]}
        tables[TRENDING] = [
            *_stored([_products(EVERYONE, generation)], generation),
            pa.table(exceptions, schema=ANSWER_SCHEMA),
        ]
        people = [_person(user, number, generation) for number, user in enumerate(USERS)]
        tables[PEOPLE] = [pa.table({"key": USERS, "answer": people}, schema=ANSWER_SCHEMA)]
        tables[ARMS] = []
        tables[BOARD_IMAGES] = [pa.table({"key": [], "answer": []}, schema=ANSWER_SCHEMA)]
        entries = {FEATURES: self._features(generation)}
        for kind, chunks in tables.items():
            name = f"{kind}__gen{generation}"
            entries[kind] = AnswersEntry(name=name, rows=self.stores.answers.write(name, chunks))
        return entries

    def _reports(self, generation: int) -> dict[str, ReportEntry]:
        segments = {name: Segment(name, told, Criteria(bought=Bought())) for name, told in SEGMENTS.items()}
        counted = [{"segment": "first_two", "users": 2, "consenting": 1}]
        documents = {
            **self._outlook(generation),
            "segments": segments_report(segments, counted, before={}),
            **dict.fromkeys(EVALUATIONS, self._evaluation(generation)),
            RESULTS: experiments_report(EXPERIMENT, COUNTED),
        }
        for name, document in documents.items():
            self.stores.reports.write(f"{name}__gen{generation}", document)
        return {name: ReportEntry(name=f"{name}__gen{generation}") for name in documents}

    def _evaluation(self, generation: int) -> dict[str, Any]:
        figures = {"users": 5, "precision": 0.1, "recall": 0.4, "ndcg": 0.1 * generation}
        figures |= {"hit_rate": 0.5, "coverage": 0.6, "map": 0.2, "novelty": 3.0, "gini": 0.4}
        return {
            "held_out": "what users took within 30 days",
            "recommenders": {"popular": {**figures, "ndcg": 0.05}, "hybrid": figures},
            "hybrid": {"discovery": figures},
            "families": {},
            "blend": {"scales": {}, "weights": {"regular": {"popular": 1.0}}},
        }

    def _outlook(self, generation: int) -> dict[str, dict[str, Any]]:
        unusual = Anomaly("spend", "platform", "Meta", MORNING.date(), 100.0 * generation, 40, 20, 60, "USD")
        watched = Judged("spend", ("platform",), "normal", 2, 56, date(2026, 10, 23), MORNING.date(), None)
        ahead = forecast([1_000.0 * generation + day % 7 for day in range(120)])
        made = KpiForecast("spend", "USD", date(2026, 7, 24), MORNING.date(), 0, (), ahead)
        return {
            ANOMALIES: Found((unusual,), (watched,), ()).document(),
            FORECASTS: Forecasts((made,), {"revenue": "there is no data"}).document(),
        }

    def _features(self, generation: int) -> AnswersEntry:
        """Features that the real declarations do not name: any that are declared are served."""
        text = {
            "aggregate": "centroid",
            "name": "meaning",
            "description": "-",
            "from": "events",
            "column": "message",
        }
        count = {"aggregate": "count", "name": "generation", "description": "-", "from": "events"}
        declared = FeatureFile.model_validate({"features": [count, text]}).features
        rows = pa.table({"user_id": USERS, "generation": [generation] * len(USERS)})
        vectors = pa.table(
            {"user_id": USERS[:1], "vector": pa.array([[0.6, -0.8]], pa.list_(pa.float32(), 2))}
        )
        name = f"{FEATURES}__gen{generation}"
        answers = feature_answers(Features("user", declared), [rows], vectors, dim=2, as_of=MORNING)
        return AnswersEntry(name=name, rows=self.stores.answers.write(name, answers))


@cache
def _made(generation: int) -> tuple[Path, Manifest]:
    """The files of a release of this generation, which lie there as long as the process runs."""
    folder = Path(tempfile.mkdtemp(prefix="marketing-release-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, _platform(folder).make(generation)


@cache
def encoder() -> Encoder:
    """The platform's own encoder, built once for all tests of this folder."""
    with tempfile.TemporaryDirectory() as folder:  # the model is in memory once it is open
        return open_encoder(Path(folder))


def _letter(number: int) -> str:
    """Names are letters: some places let nothing else stand in them."""
    return ascii_lowercase[number % len(ascii_lowercase)]


def _person(user_id: str, number: int, generation: int) -> bytes:
    """Every second one agreed to get e-mails, the last one has no address."""
    lamp = {"product_id": "p-0", "name": "Lamp", "category": None, "last_at": MORNING, "satisfaction": 4}
    return orjson.dumps(
        {
            "user_id": user_id,
            "name": f"Ada{_letter(number)} Example{_letter(generation)}",
            "email": f"{user_id}@example.com" if user_id != USERS[-1] else None,
            "country": "DE",
            "language": "de-DE" if number % 2 else "en-GB",
            "marketing_consent": number % 2 == 0,
            "purchases": [lamp],
            "complements": [],
            "interests": [
                {"interest": interest, "strength": 0.8, "source": "stated", "confidence": 1.0}
                for interest in (["Camping", "Hiking"] if user_id == USERS[0] else ["Camping"])
            ],
        }
    )


def experiments_report(
    experiment: dict[str, Any], counted: list[dict[str, Any]], *, holdout: Holdout | None = None
) -> dict[str, Any]:
    """The report of a release with one experiment, judged by purchases and returns."""
    metrics = {
        name: Metric.model_validate(
            {"metric": name, "says": f"{name}.", "from": "purchases", "better": better}
        )
        for name, better in (("purchase", "higher"), ("return", "lower"))
    }
    declared = Declarations((Experiment.model_validate(experiment),), holdout, metrics)
    return report_of(declared, judge(declared, counted, today=MORNING.date()))


def _rows(generation: int) -> dict[str, list[dict[str, Any]]]:
    campaigns = campaigns_of(generation)
    events = [
        {
            "event_id": f"e-{user}-{kind}-{number}",
            "user_id": user,
            "timestamp": MORNING + timedelta(hours=number * 5),
            "event_type": kind,
            "campaign_id": campaigns[(number + index) % 4],
            "channel": "email" if index % 2 else "app",
            "message": TEXTS[number] if kind == "message" else None,
        }
        for number, user in enumerate(USERS)
        for index, kind in enumerate([*KINDS, *["view"] * generation])
    ]
    return {
        "events": events,
        "users": [{"user_id": user, "marketing_consent": user == USERS[0]} for user in USERS],
        "campaigns": [
            {
                "campaign_id": campaign,
                "name": f"Campaign {campaign}",
                "ends_on": None if campaign != campaigns[-1] else date(2026, 6, 30),
            }
            for campaign in campaigns
        ],
        "ad_spend": [
            {
                "date": (MORNING - timedelta(days=ago)).date(),
                "platform": "Meta",
                "level": "campaign",
                "account": "A",
                "campaign": campaign,
                "country": country,
                "spend": Decimal(10 + ago),
                "impressions": 1_000,
                "clicks": 10 * generation,
                "conversions": 2.0 if country == "DE" else 0.0,
            }
            for ago in range(60)
            for campaign in campaigns[:2]
            for country in ("DE", "AT")
        ],
    }


def _made_tables() -> dict[str, pa.Table]:
    """What the pipeline makes of vectors, features and segments."""
    about = [{"user_id": user, "interest": "Cards", "messages": 2, "written": 4} for user in USERS[:2]]
    alike = [{"user_id": USERS[0], "rank": 1, "similar_user_id": USERS[1], "score": 0.9}]
    members = [{"segment": "first_two", "user_id": user} for user in USERS[:2]]
    features = load_features(load_settings().features_dir)["user"].arrow_schema
    return {
        "message_interests": pa.Table.from_pylist(about, MESSAGE_INTERESTS),
        "similar_users": pa.Table.from_pylist(alike),
        "user_features": pa.Table.from_pylist([{"user_id": user, "orders": 0} for user in USERS], features),
        "segment_members": pa.Table.from_pylist(members),
    }


def _typed(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = tables()[name].arrow_schema
    complete = [{field: row.get(field) for field in schema.names} for row in rows]
    lineage = [{"batch_id": "sample@0", "row_ordinal": ordinal} for ordinal in range(len(rows))]
    return pa.Table.from_pylist(
        [{**row, **line} for row, line in zip(complete, lineage, strict=True)], schema
    )


def _entry(stored: StoredTable) -> TableEntry:
    columns = {field.name: str(field.type) for field in stored.ref.schema}
    return TableEntry(
        parts=stored.ref.parts, columns=columns, rows=stored.rows, fingerprint=stored.fingerprint
    )


def _similar(user: str, generation: int) -> SimilarUsersAnswer:
    others = [other for other in USERS if other != user]
    items = [
        SimilarUser(user_id=other, score=0.9 - rank / 10, common_campaigns=(campaigns_of(generation)[0],))
        for rank, other in enumerate(others)
    ]
    return SimilarUsersAnswer(user_id=user, model="tiny", items=tuple(items))


def _recommended(user: str, generation: int) -> CampaignRecommendationsAnswer:
    items = [
        CampaignItem(
            campaign_id=campaign,
            score=4.0 - rank,
            engagement=10.0,
            already_participated=False,
            reason="1 of 5 similar users took part.",
            contributions=(Contribution(user_id="u-2", users=1, similarity=0.9, engagement=10.0, share=1.0),),
            path=(
                PathStep(kind="node", label="User", id=user),
                PathStep(kind="node", label="Campaign", id=campaign),
            ),
        )
        for rank, campaign in enumerate(campaigns_of(generation))
    ]
    return CampaignRecommendationsAnswer(user_id=user, strategy="similar_users", items=tuple(items))


def _products(user: str, generation: int) -> ProductRecommendationsAnswer:
    items = [
        ProductItem(product_id=product, already_bought=False, **_ranked("Product", product, rank))
        for rank, product in enumerate([*products_of(generation), *spares_of(generation)])
    ]
    return ProductRecommendationsAnswer(user_id=user, strategy="popular", items=tuple(items))


def _stored(answers: list[ProductRecommendationsAnswer], generation: int) -> list[pa.Table]:
    """As the pipeline stores them: the spares behind what is shown."""
    listed = [*products_of(generation), *spares_of(generation)]
    categories = dict(zip(listed, CATEGORIES, strict=True))
    return [with_spares(answer_table(answers), shown=len(products_of(generation)), categories=categories)]


def _not_for(user: str) -> bytes:
    """The second user bought the first trending product and may not see the second."""
    return b'{"out":[1],"own":[0]}' if user == USERS[1] else b'{"out":[],"own":[]}'


def _campaigns(user: str, generation: int) -> RankedCampaignsAnswer:
    """In another order than similar users have it."""
    items = [
        RankedCampaign(campaign_id=campaign, already_participated=True, **_ranked("Campaign", campaign, rank))
        for rank, campaign in enumerate(reversed(campaigns_of(generation)))
    ]
    return RankedCampaignsAnswer(user_id=user, strategy="popular", items=tuple(items))


def _ranked(label: str, item: str, rank: int) -> dict[str, Any]:
    causes = (
        ItemCause(kind="everyone", id=None, share=0.75),
        ItemCause(kind="user", id="u-2", share=0.25),
    )
    return {
        "name": f"{label} {item}",
        "score": 4.0 - rank,
        "reason": f"Among the {label.lower()}s that most users took.",
        "rules": (),
        "contributions": (ItemContribution(recommender="popular", share=1.0, causes=causes),),
        "path": (PathStep(kind="node", label=label, id=item),),
    }


@pytest.fixture(autouse=True)
def logged() -> Iterator[Logged]:
    """What was logged during the test."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """An empty platform; tests that publish take a fresh one."""
    return _platform(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def fresh_platform(tmp_path: Path) -> Platform:
    return _platform(tmp_path)


def _platform(folder: Path) -> Platform:
    settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
    return Platform(settings, open_stores(settings), open_records(settings).shelf)


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[TestClient]:
    """The API over one release, generation 1, with the live path open."""
    platform.publish(1)
    with platform.client(raise_server_exceptions=False) as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        yield opened


def await_until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait for what happens in the background; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
