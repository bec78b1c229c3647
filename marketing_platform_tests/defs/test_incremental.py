"""A release built in two steps is the release built in one."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from marketing_platform.defs.assets.release import ANSWERS
from marketing_platform.defs.execution import Pipeline, open_instance
from marketing_platform.releases.manifest import Manifest
from marketing_platform.sample import write_events
from marketing_platform.sample.world import DAYS, FIRST_DAY
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores

pytestmark = pytest.mark.long

USERS = 40
EVENTS = 1_200


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The events of four months, and those of two days more with the same users."""
    first, more = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("more")
    write_events(first, events=EVENTS, users=USERS)
    later = FIRST_DAY + timedelta(DAYS)
    write_events(more, events=60, users=USERS, start=EVENTS, first_day=later, days=2)
    return first, more


def release(settings: Settings, *landed: Path) -> Manifest:
    """Land folders, run, and return the release that serves then."""
    for folder in landed:
        shutil.copytree(folder, settings.landing_dir, dirs_exist_ok=True)
    with open_instance(settings) as instance:
        pipeline = Pipeline(settings, instance, lambda _: None)
        pipeline.take()
        pipeline.ingest([batch.batch_id for batch in pipeline.ledger.pending()])
        assert pipeline.publish()
        return pipeline.shelf.load(str(pipeline.shelf.current()))


def answers(settings: Settings, manifest: Manifest) -> dict[tuple[str, str], bytes | None]:
    """Every stored answer."""
    stores = open_stores(settings)
    found: dict[tuple[str, str], bytes | None] = {}
    for asset, entry in manifest.answers.items():
        reader = stores.answers.open(entry.name)
        found |= {(asset, f"u-{number:06}"): reader.get(f"u-{number:06}") for number in range(1, USERS + 1)}
        reader.close()
    return found


def test_a_delta_ends_where_a_full_run_ends(landed: tuple[Path, Path], tmp_path: Path) -> None:
    first, more = landed
    at_once, in_steps = Settings(data_dir=tmp_path / "at-once"), Settings(data_dir=tmp_path / "in-steps")
    expected = release(at_once, first, more)
    # Which texts are encoded together changes the eighth digit of their vectors: both take the same ones.
    for kept in ("embedding_cache", "models"):
        shutil.copytree(at_once.data_dir / kept, in_steps.data_dir / kept)
    before = release(in_steps, first)
    found = release(in_steps, more)

    assert found.previous == before.release_id
    assert found.totals == expected.totals
    content = {name: (table.rows, table.fingerprint) for name, table in expected.tables.items()}
    assert {name: (found.tables[name].rows, found.tables[name].fingerprint) for name in content} == content
    assert before.tables["events"].rows < found.tables["events"].rows
    assert [graph.nodes | graph.relations for graph in found.graphs.values()] == [
        graph.nodes | graph.relations for graph in expected.graphs.values()
    ]
    assert {name: entry.rows for name, entry in found.vectors.items()} == {
        name: entry.rows for name, entry in expected.vectors.items()
    }
    documents, earlier = (release.documents["enriched_events"] for release in (found, before))
    assert documents.rows == expected.documents["enriched_events"].rows == found.tables["events"].rows
    assert set(earlier.sets) < set(documents.sets)  # only new batches were written
    stored = answers(at_once, expected)
    given = sum(answer is not None for (asset, _), answer in stored.items() if asset in ANSWERS)
    assert given == len(ANSWERS) * expected.totals.users
    assert answers(in_steps, found) == stored

    # A batch without messages: nobody's neighbours are searched again.
    people = (first / "crm" / "users.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "people" / "crm").mkdir(parents=True)
    (tmp_path / "people" / "crm" / "users.csv").write_text("".join(people[:-1]), encoding="utf-8")
    again = release(in_steps, tmp_path / "people")
    assert again.previous == found.release_id
    assert again.tables["similar_users"] == found.tables["similar_users"]
