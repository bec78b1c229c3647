"""Commands on an installation: refused records, replaying, releases, going back, tidying up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from marketing_platform.releases.ledger import State
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Finished, Installation
from marketing_platform_tests.acceptance.landed import conversation, csv

pytestmark = pytest.mark.slow

_KEYS = {
    *("release_id", "rows_landed", "rows_valid", "rows_quarantined"),
    *("users", "campaigns", "vectors", "edges", "seconds"),
}
_DECLARED = """
source: {name}
description: What users did, by day.
path: {name}/*.csv
format: {{type: csv}}
tables:
  events:
    columns: {{event_id: event_id, user_id: user_id, message: message, timestamp: {timestamp},
              campaign_id: campaign, event_type: event_type, channel: {channel}}}
"""
_GERMAN_DAYS = '{field: timestamp, format: "%d.%m.%Y"}'


class Story:
    """A file in order, and one whose days its source cannot read, until that is mended."""

    def __init__(self, platform: Installation) -> None:
        self.platform = platform
        self._declare("iso", timestamp="timestamp")
        self._declare("german", timestamp="timestamp")
        platform.land("iso/events.csv", csv([*conversation("i")[:-1], _MARKUP]))
        platform.land("german/events.csv", csv([_german(line) for line in conversation("g")]))
        self.first_run = platform.command("run", "--json")
        self.first = platform.release()
        self.held = platform.batch("german/events.csv")
        self.refused = platform.command("quarantine", "show", self.held.batch_id, "--rows", "3", "--json")
        self._declare("german", timestamp=_GERMAN_DAYS)
        self.replayed = platform.command("quarantine", "replay", self.held.batch_id, "--json")
        self.second = platform.release()
        self._declare("german", timestamp=_GERMAN_DAYS, channel="{constant: app}")
        platform.command("quarantine", "replay", self.held.batch_id, "--json")
        self.third = platform.release()

    def _declare(self, name: str, *, timestamp: str, channel: str = "channel") -> None:
        path = self.platform.settings.sources_dir / f"{name}.yaml"
        path.write_text(_DECLARED.format(name=name, timestamp=timestamp, channel=channel))

    def json(self, *arguments: str) -> Any:
        finished = self.platform.command(*arguments, "--json")
        assert finished.code == 0, finished.err
        return finished.document

    def said(self, *arguments: str) -> str:
        finished = self.platform.command(*arguments)
        assert finished.code == 0, finished.err
        return finished.out

    def channels(self, release: Manifest) -> Mapping[str, int]:
        sql = f"SELECT channel, count(*) FROM events WHERE batch_id = '{self.held.batch_id}' GROUP BY ALL"
        return dict(self.platform.query(sql, release=release))


# What rich would take for markup, in a record that is refused.
_MARKUP = "i-99,user-1,[/bold] [red,2026-03-01T10:00:00+00:00,campaign-1,message,carrier pigeon\n"


def _german(line: str) -> str:
    return re.sub(r"2026-(\d\d)-(\d\d)T[^,]*", r"\2.\1.2026", line)


@pytest.fixture(scope="module")
def story(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(install(sources_dir=tmp_path_factory.mktemp("sources")))


def test_run_prints_one_object_with_these_keys(story: Story) -> None:
    for finished in (story.first_run, story.replayed):
        assert finished.code == 0
        assert finished.out.count("\n") == 1
        assert set(finished.document) == _KEYS
    assert story.first_run.document["release_id"] == story.first.release_id
    assert story.first_run.document["rows_landed"] == 200
    assert story.first_run.document["rows_valid"] == 99


def test_a_run_without_anything_new_keeps_the_release(story: Story) -> None:
    assert story.json("run")["release_id"] == story.platform.shelf.current()


def test_refused_records_are_shown_with_their_reasons(story: Story) -> None:
    records = story.refused.document
    assert [record["ordinal"] for record in records] == [0, 1, 2]
    assert {tuple(record["reasons"]) for record in records} == {("timestamp unreadable",)}
    assert records[0]["document"]["timestamp"] == "01.03.2026"


def test_refused_records_are_shown_to_people_whatever_they_say(story: Story) -> None:
    shown = story.said("quarantine", "show")
    assert "[/bold]" in shown.replace("\n", "")
    assert "channel" in shown


def test_refused_records_are_exported(story: Story, tmp_path: Path) -> None:
    batch = story.platform.batch("iso/events.csv")
    target = tmp_path / "refused.ndjson"
    story.said("quarantine", "export", batch.batch_id, "--to", str(target))
    (record,) = map(orjson.loads, target.read_bytes().splitlines())
    assert record["batch_id"] == batch.batch_id
    assert (record["ordinal"], record["reasons"]) == (99, ["channel unknown"])
    assert record["document"]["channel"] == "carrier pigeon"


def test_exporting_to_where_nothing_can_be_written_is_said(story: Story) -> None:
    finished = story.platform.command(
        "quarantine", "export", story.held.batch_id, "--to", "/no/such/folder/x.ndjson"
    )
    assert finished.code == 2
    assert "/no/such/folder" in finished.err
    assert "Traceback" not in finished.err


def test_a_replay_with_a_mended_source_makes_the_rows_valid(story: Story) -> None:
    assert story.held.state is State.HELD
    assert story.held.failed == ("share_valid",)
    assert story.first.held[0].batch_id == story.held.batch_id
    assert story.replayed.document["rows_valid"] == 199
    assert story.second.held == ()
    assert story.channels(story.first) == {}
    assert story.channels(story.second) == {"app": 50, "email": 50}
    actions = [event["action"] for event in story.json("batches", "show", story.held.batch_id)["history"]]
    assert actions == ["landed", "held", "replayed", "accepted", "replayed", "accepted"]


def test_a_replay_that_changes_only_values_is_released_too(story: Story) -> None:
    assert story.third.release_id != story.second.release_id
    assert story.channels(story.third) == {"app": 100}


def test_batches_are_listed(story: Story) -> None:
    listed = {batch["batch_id"]: batch for batch in story.json("batches")}
    assert listed[story.held.batch_id]["state"] == "accepted"
    assert story.held.batch_id.rpartition("@")[2] in story.said("batches").replace("\n", "").replace(" ", "")


def test_only_a_held_batch_can_be_accepted(story: Story) -> None:
    finished = story.platform.command("batches", "accept", story.held.batch_id, "--why", "no reason")
    assert finished.code == 1
    assert "only a held batch" in finished.err


def test_releases_are_listed_and_shown(story: Story) -> None:
    listed = story.json("releases", "list")
    assert [entry["release_id"] for entry in listed] == [
        release.release_id for release in (story.third, story.second, story.first)
    ]
    assert [entry["held"] for entry in listed] == [0, 0, 1]
    shown = story.json("releases", "show", story.first.release_id)
    assert Manifest.model_validate(shown) == story.first
    assert story.json("releases", "show")["release_id"] == story.platform.shelf.current()
    assert story.first.release_id in story.said("releases", "show", story.first.release_id)


def test_documents_of_a_user_are_shown(story: Story) -> None:
    rows = story.platform.query("SELECT user_id, count(*) FROM events GROUP BY user_id ORDER BY 2 DESC")
    user, events = rows[0]
    found = story.json("documents", "--user", str(user), "--rows", "1000")
    assert [document["user_id"] for document in found] == [user] * events
    assert found == sorted(found, key=lambda document: document["timestamp"], reverse=True)
    shown = story.said("documents", "--user", str(user), "--rows", "1")
    assert f"events of {story.platform.shelf.current()}" in shown


def test_releases_are_compared(story: Story) -> None:
    changes = story.json("releases", "diff", story.first.release_id, story.second.release_id)
    assert changes["batches_added"] == [story.held.batch_id]
    assert changes["tables"]["events"] == {"rows_old": 99, "rows_new": 199, "changed": True}
    assert not changes["tables"]["purchases"]["changed"]
    values = story.json("releases", "diff", story.second.release_id, story.third.release_id)
    assert values["tables"]["events"] == {"rows_old": 199, "rows_new": 199, "changed": True}


class TestGoingBackAndTidyingUp:
    """In this order: each test leaves the third release current."""

    def test_rollback_and_return(self, story: Story) -> None:
        move = story.json("releases", "rollback", "--why", "the channel is wrong")
        assert (move["previous"], move["to"]) == (story.third.release_id, story.second.release_id)
        (answer,) = story.platform.answers("/recommendations/user-1")
        assert answer["release_id"] == story.second.release_id
        assert story.json("run")["release_id"] == story.second.release_id, "a run must not undo a rollback"
        story.said("releases", "rollback", story.third.release_id)
        assert [move.why for move in story.platform.shelf.history()][-2] == "the channel is wrong"

    def test_what_is_pinned_previous_or_current_stays(self, story: Story) -> None:
        story.said("releases", "pin", story.first.release_id, "--why", "the auditors ask for it")
        collected = story.json("releases", "collect", "--keep", "1")
        assert collected["releases"] == []
        self._all_readable(story, story.first, story.second, story.third)

    def test_a_dry_run_deletes_nothing(self, story: Story) -> None:
        story.said("releases", "unpin", story.first.release_id)
        before = _stored(story.platform)
        would_go = story.json("releases", "collect", "--keep", "1", "--dry-run")
        assert would_go["releases"] == [story.first.release_id]
        assert _stored(story.platform) == before

    def test_what_nobody_needs_goes(self, story: Story) -> None:
        before = _stored(story.platform)
        collected = story.json("releases", "collect", "--keep", "1")
        assert collected["releases"] == [story.first.release_id]
        gone = before - _stored(story.platform)
        assert gone == {tuple(name) for name in collected["names"]}
        only_first = story.first.stored_names() - story.second.stored_names() - story.third.stored_names()
        assert {name for _, name in gone} >= only_first - set(story.held.parts.values())
        self._all_readable(story, story.second, story.third)
        shown = story.platform.command("releases", "show", story.first.release_id)
        assert shown.code == 1
        assert "collected" in shown.err

    def _all_readable(self, story: Story, *releases: Manifest) -> None:
        for release in releases:
            story.said("releases", "rollback", release.release_id)
            (answer,) = story.platform.answers("/graph/user-campaigns?user_id=user-1")
            assert answer["release_id"] == release.release_id
            for name, entry in release.tables.items():
                if entry.parts:
                    found = story.platform.query(f"SELECT count(*) FROM {name}", release=release)
                    assert found == [(entry.rows,)]
            vectors = open_stores(story.platform.settings).vectors
            assert vectors.count(release.vectors["message_embeddings"].name) == release.totals.vectors
        story.said("releases", "rollback", story.third.release_id)


def _stored(platform: Installation) -> set[tuple[str, str]]:
    stores = open_stores(platform.settings)
    shelves = {
        "warehouse": stores.warehouse,
        "vectors": stores.vectors,
        "graphs": stores.graphs,
        "answers": stores.answers,
        "reports": stores.reports,
    }
    return {(shelf, name) for shelf, store in shelves.items() for name in store.names()}


def test_every_json_answer_is_alone_on_stdout(story: Story) -> None:
    for arguments in (
        ("batches",),
        ("batches", "show", story.held.batch_id),
        ("quarantine", "show"),
        ("releases", "list"),
        ("releases", "show"),
        ("sources", "validate"),
    ):
        finished: Finished = story.platform.command(*arguments, "--json")
        assert finished.code == 0
        assert finished.document is not None
        assert finished.err == ""
