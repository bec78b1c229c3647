"""A release built in steps is the release built in one, and nothing is computed again without need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marketing_platform.defs.execution import PUBLISH, Pipeline, open_instance
from marketing_platform.releases.manifest import Manifest
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.contents import contents
from marketing_platform_tests.defs.made import computed, kept, latest_run

pytestmark = pytest.mark.long

_LAST_MONTH = "events-2026-06.csv"
_CHANGED = "events-2026-05.csv"
_LATE, _WITHDRAWN = "events-late.csv", "events-withdrawn.csv"
# What is made of purchases, feedback or exposures alone.
_WITHOUT_EVENTS = {"buyer_days", "product_pairs", "item_feedback", "experiment_arms"}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What lands: most; then a new file and late events; then a changed file, and one that is withdrawn.

    A file is withdrawn by a version of it without rows.
    """
    first, second, third = (tmp_path_factory.mktemp(name) for name in ("first", "second", "third"))
    write_sample(first, users=40, events=900)
    for step in (second, third):
        (step / "events").mkdir()
    events = first / "events"
    shutil.move(events / _LAST_MONTH, second / "events")
    early = events / "events-2026-03.csv"
    header, *rows = early.read_text(encoding="utf-8").splitlines(keepends=True)
    early.write_text("".join([header, *rows[:-20]]), encoding="utf-8")
    (second / "events" / _LATE).write_text("".join([header, *rows[-20:]]), encoding="utf-8")
    gone = [row.replace("e-", "gone-", 1) for row in rows[:15]]
    (events / _WITHDRAWN).write_text("".join([header, *gone]), encoding="utf-8")
    (third / "events" / _WITHDRAWN).write_text(header, encoding="utf-8")
    shutil.copy(events / _CHANGED, third / "events")
    header, *rows = (events / _CHANGED).read_text(encoding="utf-8").splitlines(keepends=True)
    other = [row.replace("click", "open").replace("impression", "view") for row in rows[:10]]
    (events / _CHANGED).write_text("".join([header, *other, *rows[15:]]), encoding="utf-8")
    return [first, second, third]


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


def test_steps_end_where_one_run_ends(steps: list[Path], tmp_path: Path) -> None:
    at_once = Settings(data_dir=tmp_path / "at-once", settle_seconds=0)
    in_steps = Settings(data_dir=tmp_path / "in-steps", settle_seconds=0)
    expected = release(at_once, *steps)
    # Which texts are encoded together changes the eighth digit of their vectors: both take the same ones.
    for folder in ("embedding_cache", "models"):
        shutil.copytree(at_once.data_dir / folder, in_steps.data_dir / folder)
    first, second, third = (release(in_steps, step) for step in steps)

    assert [second.previous, third.previous] == [first.release_id, second.release_id]
    assert third.totals == expected.totals
    events = [release.tables["events"].rows for release in (first, second, third)]
    assert events[0] < events[1] > events[2]
    taken = {Path(batch.object).name for batch in third.batches}
    assert taken >= {_LAST_MONTH, _CHANGED, _LATE, _WITHDRAWN}
    assert {batch.batch_id for batch in third.batches} == {batch.batch_id for batch in expected.batches}
    found = contents(open_stores(in_steps), third)
    assert found == contents(open_stores(at_once), expected)
    differs = {
        kind for kind, print_ in contents(open_stores(in_steps), second).items() if found[kind] != print_
    }
    assert {"table events", "table daily_activity", "nodes Event", "documents enriched_events"} <= differs

    with open_instance(in_steps) as instance:
        run = latest_run(instance, PUBLISH)
        assert kept(instance, run).keys() >= _WITHOUT_EVENTS
        assert computed(instance, run)["daily_activity"] == "changed: events"
    for table in _WITHOUT_EVENTS & third.tables.keys():
        assert third.tables[table] == first.tables[table]
    documents, earlier = (release.documents["enriched_events"] for release in (third, second))
    assert len({*earlier.sets} - {*documents.sets}) == 2  # only what changed or was withdrawn
