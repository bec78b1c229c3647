"""Real conversations: who writes alike, a dirty file, files that are too dirty, and what becomes of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.releases.ledger import State
from marketing_platform.releases.manifest import Manifest
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long

_WHY = "the figures are wanted on Friday, whatever is missing"
_QUESTIONS = (
    "/recommendations/similar-users?user_id=user_0048",
    "/recommendations/user_0048",
    "/graph/user-campaigns?user_id=user_0048",
    "/analytics/campaign-performance?limit=100",
)


class Story:
    """What happens to one installation, in order; every test looks at some part of it."""

    def __init__(self, platform: Installation, folder: Path) -> None:
        self.platform = platform
        self.truth: dict[str, Any] = json.loads((folder / "truth.json").read_text())
        self._folder = folder
        self.events = self._events_land()
        self.answers_before = platform.answers(*_QUESTIONS)
        self.while_held = self._too_dirty_files_land()
        self.answers_while_held = platform.answers(*_QUESTIONS)
        self.with_dirty = self._a_dirty_file_lands()
        self.after_repetition = self._everything_lands_again()
        self.clean = self._a_held_file_is_replaced()
        self.accepted = platform.batch("accepted/too_dirty.csv")
        self.acceptance = platform.command(
            "batches", "accept", self.accepted.batch_id, "--why", _WHY, "--json"
        )
        self.decided = platform.release()

    def content(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def _run(self) -> Manifest:
        self.platform.run()
        return self.platform.release()

    def _events_land(self) -> Manifest:
        self.platform.land("events.csv", self.content("events.csv"))
        return self._run()

    def _too_dirty_files_land(self) -> Manifest:
        """One that somebody will accept, and one that will be replaced (it lacks the last line)."""
        content = self.content("too_dirty.csv")
        self.platform.land("accepted/too_dirty.csv", content)
        self.platform.land("replaced/too_dirty.csv", content[: content.rindex(b"\n", 0, -1) + 1])
        return self._run()

    def _a_dirty_file_lands(self) -> Manifest:
        self.platform.land("dirty.csv", self.content("dirty.csv"))
        return self._run()

    def _everything_lands_again(self) -> Manifest:
        """Under the same name, only younger, and under another one."""
        for name in ("events.csv", "dirty.csv"):
            self.platform.land(name, self.content(name), minutes_ago=1)
            self.platform.land(f"again/{name}", self.content(name))
        return self._run()

    def _a_held_file_is_replaced(self) -> set[str]:
        header, *lines = self.content("events.csv").splitlines(keepends=True)
        mended = [line.replace(b"e0", b"mended-0", 1) for line in lines[:50]]
        self.platform.land("replaced/too_dirty.csv", header + b"".join(mended))
        return {line.split(b",", 1)[0].decode() for line in mended}


@pytest.fixture(scope="module")
def story(install: Install, shared_data: Path) -> Story:
    return Story(install(), shared_data / "conversations")


def test_events_become_users_campaigns_and_vectors(story: Story) -> None:
    totals = story.events.totals
    assert (totals.rows_landed, totals.rows_valid, totals.rows_quarantined) == (29_422, 29_422, 0)
    assert (totals.users, totals.campaigns, totals.vectors) == (1_000, 20, 10_000)
    assert story.events.vectors["message_embeddings"].rows == 10_000
    nodes = story.events.graphs["knowledge_graph"].nodes
    assert [nodes[label] for label in ("User", "Event", "Message", "Campaign")] == [1_000, 29_422, 10_000, 20]


def test_similar_users_share_the_main_intent(story: Story) -> None:
    rows = story.platform.query(
        "SELECT user_id, similar_user_id FROM similar_users WHERE rank <= 10", release=story.events
    )
    intent = story.truth["main_intent"]
    assert Counter(user for user, _ in rows) == dict.fromkeys(intent, 10)
    precision = sum(intent[user] == intent[other] for user, other in rows) / len(rows)
    assert precision >= 0.80


def test_the_campaign_that_a_user_prefers_comes_first(story: Story) -> None:
    rows = story.platform.query("SELECT user_id, campaign_id, count(*) FROM events GROUP BY ALL")
    most: dict[str, int] = {}
    for user, _, times in rows:
        most[user] = max(times, most.get(user, 0))
    users = sorted(most)
    answers = story.platform.answers(
        *(f"/api/v1/users/{user}/recommendations?kind=campaign&limit=3&explain=false" for user in users)
    )
    shown = {
        (user, item["campaign_id"])
        for user, answer in zip(users, answers, strict=True)
        for item in answer["items"]
    }
    found = {user for user, campaign, times in rows if times == most[user] and (user, campaign) in shown}
    assert len(found) >= 0.9 * len(users)


def test_a_file_that_is_too_dirty_is_held_and_the_release_before_serves(story: Story) -> None:
    assert story.while_held.release_id == story.events.release_id
    assert story.answers_while_held == story.answers_before
    held = {batch.object: batch for batch in story.with_dirty.held}
    assert set(held) == {"accepted/too_dirty.csv", "replaced/too_dirty.csv"}
    assert held["accepted/too_dirty.csv"].rows_valid == story.truth["too_dirty.csv"]["valid"]
    assert story.accepted.state is State.HELD
    assert story.accepted.failed == ("share_valid",)
    assert story.accepted.reasons == story.truth["too_dirty.csv"]["quarantined"]


def test_a_dirty_file_is_released_without_its_bad_rows(story: Story) -> None:
    batch = story.platform.batch("dirty.csv")
    assert (batch.state, batch.rows_valid, batch.rows_quarantined) == (State.ACCEPTED, 970, 30)
    assert batch.reasons == story.truth["dirty.csv"]["quarantined"]
    refused = story.platform.quarantine(batch.batch_id)
    assert Counter(reason for record in refused for reason in record["reasons"]) == batch.reasons
    (count,) = story.platform.query(
        f"SELECT count(*), count(DISTINCT row_ordinal) FROM events WHERE batch_id = '{batch.batch_id}'",
        release=story.with_dirty,
    )
    assert count == (970, 970)
    assert story.with_dirty.release_id != story.events.release_id


def test_landing_the_same_bytes_again_changes_nothing(story: Story) -> None:
    assert story.after_repetition == story.with_dirty
    assert len(story.platform.ledger.batches()) == 5


def test_a_batch_accepted_on_purpose_is_in_the_next_release_and_remembered(story: Story) -> None:
    assert story.acceptance.code == 0
    assert story.acceptance.document["release_id"] == story.decided.release_id
    entry = next(batch for batch in story.decided.batches if batch.object == "accepted/too_dirty.csv")
    assert (entry.decision, entry.why) == ("accepted on purpose", _WHY)
    rows = story.platform.query(f"SELECT count(*) FROM events WHERE batch_id = '{entry.batch_id}'")
    assert rows == [(920,)]
    trail = story.platform.ledger.history(entry.batch_id)
    assert [event.action for event in trail] == ["landed", "held", "accepted on purpose"]
    assert trail[-1].why == _WHY
    assert trail[-1].who


def test_replacing_a_held_file_by_a_clean_one_releases_it(story: Story) -> None:
    (entry,) = (batch for batch in story.decided.batches if batch.object == "replaced/too_dirty.csv")
    assert (entry.decision, entry.rows_valid) == ("accepted", 50)
    found = story.platform.query(f"SELECT event_id FROM events WHERE batch_id = '{entry.batch_id}'")
    assert {event_id for (event_id,) in found} == story.clean
    assert story.decided.held == ()
    assert story.decided.totals.rows_landed == 29_422 + 1_000 + 1_000 + 50
    assert story.platform.query("SELECT count(*) FROM events") == [(29_422 + 970 + 920 + 50,)]
