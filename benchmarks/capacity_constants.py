"""The constants of the capacity model: measured here, kept in `capacity.json`, read by everything else.

Two full runs and two of 1 % more (`scale.py`) say what a stage costs and how that grows; what lies on disk
afterwards says how large things are. CPU seconds are used throughout: other work on the machine hardly
changes them. The API is measured in `capacity_api.py`, what BigQuery reads in `capacity_bytes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks import capacity_api, capacity_bytes
from benchmarks.capacity_api import ApiFigures
from benchmarks.capacity_model import Driver, StageCost, fitted
from benchmarks.page import machine, wanted
from benchmarks.runs import Run
from benchmarks.scale import Scaled
from benchmarks.scale import measure as measure_scale

FILE = Path(__file__).with_name("capacity.json")
TEXTS = "text_embeddings"
# Stages whose work is one thing per user; what is not named here goes with events.
OF_USERS = frozenset(
    {
        "board_images",
        "campaign_evaluation",
        "campaign_recommendations",
        "people",
        "product_evaluation",
        "product_lists",
        "product_recommendations",
        "recommendations",
        "segment_members",
        "segments",
        "similar_users",
        "similar_users_lookup",
        "user_engagement",
        "user_features",
        "user_features_lookup",
        "user_vectors",
        "users",
    }
)
# Folders and files of the data folder: what there is one of for each.
STORES = {
    "kept": ("event", "landed objects"),
    "documents.sqlite": ("event", "raw records and quarantine"),
    "enriched": ("event", "enriched events"),
    "warehouse": ("event", "tables (Parquet)"),
    "graphs": ("event", "knowledge graph"),
    "vectors": ("vector", "collection of messages"),
    "embedding_cache": ("text", "vectors of texts, kept for all runs"),
    "answers": ("user", "ready answers"),
}
_BYTES_EVENTS, _BYTES_USERS = 10_000, 345


@dataclass(frozen=True)
class Constants:
    """Everything that was measured, and where."""

    measured: str
    load: float
    events: tuple[int, ...]  # of the two full runs
    messages_per_event: float
    texts_per_message: float
    full: Mapping[str, StageCost]  # by stage
    delta: Mapping[str, StageCost]  # the same for 1 % more, by what is held
    bytes: Mapping[str, float]  # by store, of one of its things
    api: ApiFigures
    bigquery: Mapping[str, float]  # bytes that a step reads in a full run, by the events of the run

    def cost(self, run: str, *, texts: bool) -> Mapping[str, StageCost]:
        """The stages of a run, with or without the one that encodes texts."""
        stages = self.full if run == "full" else self.delta
        return {name: stage for name, stage in stages.items() if texts or name != TEXTS}


_DOCUMENT = TypeAdapter(Constants)


def measured(folder: Path, sizes: Sequence[int]) -> Constants:
    """Measure everything in data folders below `folder`, the runs last: they take longest."""
    load = wanted()
    (folder / "api").mkdir()
    (folder / "bytes").mkdir()
    api = capacity_api.measured(folder / "api")
    read = capacity_bytes.measured(folder / "bytes", events=_BYTES_EVENTS, users=_BYTES_USERS)
    return put_together([measure_scale(events, folder) for events in sizes], api, read, load)


def put_together(
    scaled: Sequence[Scaled], api: ApiFigures, refreshes: Sequence[capacity_bytes.Refresh], load: float
) -> Constants:
    """The constants that follow from the measurements."""
    small, large = sorted(scaled, key=lambda one: one.landed.events)[-2:]
    vectors = large.full.totals["vectors"]
    texts = _amounts(large, large.full)[Driver.TEXTS]
    count = {"event": large.landed.events, "vector": vectors, "text": texts, "user": large.landed.users}
    return Constants(
        measured=f"{machine()} {date.today():%B %Y}.",
        load=round(load, 1),
        events=(small.landed.events, large.landed.events),
        messages_per_event=round(vectors / large.landed.events, 4),
        texts_per_message=round(texts / vectors, 4),
        full=_costs(small, large, "full"),
        delta=_costs(small, large, "delta"),
        bytes={
            store: round(large.full.disk_mb[store] * 1e6 / count[thing], 1)
            for store, (thing, _) in STORES.items()
        },
        api=api,
        bigquery={one.step: round(one.bytes / _BYTES_EVENTS, 1) for one in refreshes},
    )


def save(constants: Constants) -> None:
    """Keep them for the model."""
    FILE.write_bytes(_DOCUMENT.dump_json(constants, indent=1) + b"\n")


def load_constants() -> Constants:
    """Those that were measured last."""
    return _DOCUMENT.validate_json(FILE.read_bytes())


def _costs(small: Scaled, large: Scaled, which: str) -> dict[str, StageCost]:
    runs: list[Run] = [getattr(one, which) for one in (small, large)]
    seconds = [{stage.stage: stage.cpu_seconds for stage in run.stages} for run in runs]
    # Costs of both runs are said by what is held after the full one: the share of what is new is the same.
    held = [_amounts(one, one.full) for one in (small, large)]
    found: dict[str, StageCost] = {}
    for name in seconds[1]:
        driver = _driver(name)
        points = [(amounts[driver], run.get(name, 0.0)) for amounts, run in zip(held, seconds, strict=True)]
        cost = fitted(driver, points[0], points[1])
        found[name] = StageCost(driver, round(cost.fixed, 4), float(f"{cost.each:.4g}"))
    return found


def _driver(stage: str) -> Driver:
    if stage == TEXTS:
        return Driver.TEXTS
    return Driver.USERS if stage in OF_USERS else Driver.EVENTS


def _amounts(one: Scaled, run: Run) -> dict[Driver, float]:
    texts = next(stage.rows or 0 for stage in run.stages if stage.stage == TEXTS)
    return {Driver.EVENTS: one.landed.events, Driver.USERS: one.landed.users, Driver.TEXTS: float(texts)}
