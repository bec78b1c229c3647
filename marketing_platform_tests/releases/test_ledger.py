"""The ledger: one batch per content, the newest admitted batch of each object counts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.errors import UnknownBatch
from marketing_platform.releases.ledger import Ledger, Outcome, State, batch_id_of, suffix_of
from marketing_platform.stores.protocols import LandedObject

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
GOOD = Outcome(100, 99, 1, {"user_id missing": 1}, (), {"events": "events__a"})
BAD = Outcome(100, 80, 20, {"user_id missing": 20}, ("share_valid",), {"events": "events__b"})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def land(ledger: Ledger, name: str, content: str, generation: str = "1") -> str:
    landed = LandedObject(name, f"{content}-{generation}", 10, NOW)
    return ledger.register(landed, source="events", content_hash=content, now=NOW)[0]


def test_the_same_bytes_are_one_batch_under_any_name(ledger: Ledger) -> None:
    first = land(ledger, "a.csv", "x")
    again = ledger.register(LandedObject("b.csv", "9", 10, NOW), source="events", content_hash="x", now=NOW)
    assert again == (first, False)
    assert len(ledger.batches()) == 1
    assert [event.action for event in ledger.history(first)] == ["landed", "landed again"]


def test_an_overwritten_object_replaces_its_batch_once_admitted(ledger: Ledger) -> None:
    old, new = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
    ledger.judge(old, GOOD, now=NOW)
    assert [batch.batch_id for batch in ledger.admitted()] == [old]
    ledger.judge(new, GOOD, now=NOW)
    assert [batch.batch_id for batch in ledger.admitted()] == [new]


def test_a_held_version_leaves_the_admitted_one_in_place(ledger: Ledger) -> None:
    old, new = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
    ledger.judge(old, GOOD, now=NOW)
    assert ledger.judge(new, BAD, now=NOW) is State.HELD
    assert [batch.batch_id for batch in ledger.admitted()] == [old]
    assert [batch.batch_id for batch in ledger.held()] == [new]


def test_content_that_comes_back_counts_again(ledger: Ledger) -> None:
    first, second = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
    ledger.judge(first, GOOD, now=NOW)
    ledger.judge(second, GOOD, now=NOW)
    assert land(ledger, "a.csv", "x", generation="2") == first
    assert [batch.batch_id for batch in ledger.admitted()] == [first]


def test_a_held_batch_is_taken_on_purpose_with_a_reason(ledger: Ledger) -> None:
    held = land(ledger, "a.csv", "x")
    ledger.judge(held, BAD, now=NOW)
    accepted = ledger.accept(suffix_of(held), why="the partner confirmed it", who="ada", now=NOW)
    assert accepted.state is State.ACCEPTED_ON_PURPOSE
    assert ledger.admitted() == [accepted]
    last = ledger.history(held)[-1]
    assert (last.action, last.who, last.why) == ("accepted on purpose", "ada", "the partner confirmed it")


def test_only_a_held_batch_can_be_taken_on_purpose(ledger: Ledger) -> None:
    fine = land(ledger, "a.csv", "x")
    ledger.judge(fine, GOOD, now=NOW)
    with pytest.raises(UnknownBatch, match="only a held batch"):
        ledger.accept(fine, why="no reason", who="ada", now=NOW)


def test_a_replay_changes_nothing_until_it_is_judged(ledger: Ledger) -> None:
    batch = land(ledger, "a.csv", "x")
    ledger.judge(batch, GOOD, now=NOW)
    ledger.note_replay(batch, who="ada", now=NOW)
    assert [admitted.batch_id for admitted in ledger.admitted()] == [batch]


def test_an_unknown_batch_is_named(ledger: Ledger) -> None:
    with pytest.raises(UnknownBatch, match="nope"):
        ledger.batch("nope")
    with pytest.raises(UnknownBatch, match="nope"):
        ledger.judge("nope", GOOD, now=NOW)


@given(st.text(), st.text(), st.text())
def test_batch_ids_are_fit_for_partitions_and_files(source: str, name: str, content: str) -> None:
    batch_id = batch_id_of(
        source.encode(errors="replace").decode(), name, content.encode(errors="replace").decode()
    )
    assert "..." not in batch_id
    assert batch_id.isprintable()
    assert len(batch_id) <= 133
    assert suffix_of(batch_id).isalnum()
