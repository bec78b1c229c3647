"""The ledger: one batch per content, the newest admitted batch of each object counts."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.errors import UnknownBatch
from marketing_platform.releases.ledger import Ledger, Outcome, State, batch_id_of, suffix_of
from marketing_platform.stores.protocols import LandedObject
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS
from marketing_platform_tests.stores.processes import AWKWARD, killed_half_way

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
GOOD = Outcome(100, 99, 1, {"user_id missing": 1}, (), {"events": "events__a"})
BAD = Outcome(100, 80, 20, {"user_id missing": 20}, ("share_valid",), {"events": "events__b"})


_FIRST_VERSION = """
CREATE TABLE batches (
    batch_id TEXT PRIMARY KEY, source TEXT NOT NULL, object TEXT NOT NULL, content_hash TEXT NOT NULL,
    size INTEGER NOT NULL, landed_at TEXT NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL,
    rows_landed INTEGER NOT NULL DEFAULT 0, rows_valid INTEGER NOT NULL DEFAULT 0,
    rows_quarantined INTEGER NOT NULL DEFAULT 0, reasons TEXT NOT NULL DEFAULT '{}',
    failed TEXT NOT NULL DEFAULT '[]', parts TEXT NOT NULL DEFAULT '{}', why TEXT);
CREATE TABLE landings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, generation TEXT NOT NULL,
    batch_id TEXT NOT NULL, seen_at TEXT NOT NULL, UNIQUE (object, generation));
CREATE TABLE audit (
    at TEXT NOT NULL, batch_id TEXT NOT NULL, action TEXT NOT NULL, who TEXT, why TEXT, details TEXT);
INSERT INTO landings VALUES (1, 'a.csv', '1', 'a.csv@0123456789ab', '2026-07-01T12:00:00+00:00');
INSERT INTO batches VALUES ('a.csv@0123456789ab', 'events', 'a.csv', 'x', 10, '2026-07-01T12:00:00+00:00', 1,
    'accepted', 100, 99, 1, '{}', '[]', '{"events":"events__a"}', NULL);
INSERT INTO audit VALUES ('2026-07-01T12:00:00+00:00', 'a.csv@0123456789ab', 'landed', NULL, NULL, '{}');
INSERT INTO audit VALUES ('2026-07-01T12:00:01+00:00', 'a.csv@0123456789ab', 'accepted', NULL, NULL, '{}');
"""


def land(ledger: Ledger, name: str, content: str, generation: str = "1") -> str:
    landed = LandedObject(name, f"{content}-{generation}", 10, NOW)
    return ledger.register(landed, source="events", content_hash=content, now=NOW)[0]


def register_without_end(place: Place, at_work: Event) -> None:
    ledger = place.open().ledger
    start = len(ledger.batches())
    for number in count(start):
        land(ledger, f"{number}.csv", f"{number}")
        if number == start + 2:
            at_work.set()


class LedgerContract:
    """What every ledger does. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, place: Place) -> Ledger:
        return place.open().ledger

    def test_pages_and_objects_are_found(self, ledger: Ledger) -> None:
        made = [
            land(ledger, f"stream/t/id/{part}/{n:020}.ndjson", f"{part}-{n}")
            for part in (1, 10)
            for n in (0, 5)
        ]
        ledger.judge(made[0], BAD, now=NOW)
        first = ledger.page(limit=3)
        assert [batch.batch_id for batch in first] == made[:0:-1]
        assert [batch.batch_id for batch in ledger.page(limit=3, before=first[-1].sequence)] == made[:1]
        assert [batch.batch_id for batch in ledger.page(limit=9, state=State.HELD)] == made[:1]
        assert len(ledger.page(limit=9, state=State.LANDED, source="events")) == 3
        assert ledger.page(limit=9, source="other") == []
        by_name = ledger.of_object(f"stream/t/id/1/{5:020}.ndjson")
        assert by_name is not None
        assert by_name.batch_id == made[1]
        assert ledger.of_object("none") is None
        for folder, offset, found in (
            ("1", 0, made[0]),
            ("1", 4, made[0]),
            ("1", 7, made[1]),
            ("10", 4, made[2]),
            ("10", 9, made[3]),
        ):
            batch = ledger.last_before(f"stream/t/id/{folder}", f"stream/t/id/{folder}/{offset:020}.ndjson")
            assert batch is not None
            assert batch.batch_id == found
        assert ledger.last_before("stream/t/id/0", f"stream/t/id/0/{9:020}.ndjson") is None

    def test_the_same_bytes_are_one_batch_under_any_name(self, ledger: Ledger) -> None:
        first = land(ledger, "a.csv", "x")
        again = ledger.register(
            LandedObject("b.csv", "9", 10, NOW), source="events", content_hash="x", now=NOW
        )
        assert again == (first, False)
        assert len(ledger.batches()) == 1
        assert [event.action for event in ledger.history(first)] == ["landed", "landed again"]

    def test_an_overwritten_object_replaces_its_batch_once_admitted(self, ledger: Ledger) -> None:
        old, new = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
        ledger.judge(old, GOOD, now=NOW)
        assert [batch.batch_id for batch in ledger.admitted()] == [old]
        ledger.judge(new, GOOD, now=NOW)
        assert [batch.batch_id for batch in ledger.admitted()] == [new]

    def test_a_held_version_leaves_the_admitted_one_in_place(self, ledger: Ledger) -> None:
        old, new = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
        ledger.judge(old, GOOD, now=NOW)
        assert ledger.judge(new, BAD, now=NOW) is State.HELD
        assert [batch.batch_id for batch in ledger.admitted()] == [old]
        assert [batch.batch_id for batch in ledger.held()] == [new]

    def test_content_that_comes_back_counts_again(self, ledger: Ledger) -> None:
        first, second = land(ledger, "a.csv", "x"), land(ledger, "a.csv", "y")
        ledger.judge(first, GOOD, now=NOW)
        ledger.judge(second, GOOD, now=NOW)
        assert land(ledger, "a.csv", "x", generation="2") == first
        assert [batch.batch_id for batch in ledger.admitted()] == [first]

    def test_a_held_batch_is_taken_on_purpose_with_a_reason(self, ledger: Ledger) -> None:
        held = land(ledger, "a.csv", "x")
        ledger.judge(held, BAD, now=NOW)
        accepted = ledger.accept(suffix_of(held), why="the partner confirmed it", who="ada", now=NOW)
        assert accepted.state is State.ACCEPTED_ON_PURPOSE
        assert ledger.admitted() == [accepted]
        last = ledger.history(held)[-1]
        assert (last.action, last.who, last.why) == ("accepted on purpose", "ada", "the partner confirmed it")

    def test_only_a_held_batch_can_be_taken_on_purpose(self, ledger: Ledger) -> None:
        fine = land(ledger, "a.csv", "x")
        ledger.judge(fine, GOOD, now=NOW)
        with pytest.raises(UnknownBatch, match="only a held batch"):
            ledger.accept(fine, why="no reason", who="ada", now=NOW)

    def test_a_replay_changes_nothing_until_it_is_judged(self, ledger: Ledger) -> None:
        batch = land(ledger, "a.csv", "x")
        ledger.judge(batch, GOOD, now=NOW)
        ledger.note_replay(batch, who="ada", now=NOW)
        assert [admitted.batch_id for admitted in ledger.admitted()] == [batch]

    def test_an_unknown_batch_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(UnknownBatch, match="nope"):
            ledger.batch("nope")
        with pytest.raises(UnknownBatch, match="nope"):
            ledger.judge("nope", GOOD, now=NOW)

    def test_content_that_lands_everywhere_at_once_is_one_batch(self, place: Place) -> None:
        """Each thread has connections of its own, as a process would."""

        def register(number: int) -> tuple[str, bool]:
            landed = LandedObject(f"copy-{number}.csv", "1", 10, NOW)
            return place.open().ledger.register(landed, source="events", content_hash="x", now=NOW)

        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(register, range(12)))
        assert len({batch_id for batch_id, _ in told}) == 1
        assert [new for _, new in told].count(True) == 1
        ledger = place.open().ledger
        assert len(ledger.batches()) == 1
        actions = [event.action for event in ledger.history(told[0][0])]
        assert actions == ["landed", *["landed again"] * 11]
        assert len(ledger.seen()) == 12

    def test_judgements_made_at_once_are_kept_whole(self, place: Place) -> None:
        ledger = place.open().ledger
        batch_id = land(ledger, "a.csv", "x")

        def judge(outcome: Outcome) -> State:
            return place.open().ledger.judge(batch_id, outcome, now=NOW)

        with ThreadPoolExecutor(6) as pool:
            states = list(pool.map(judge, [GOOD, BAD] * 6))
        assert states == [State.ACCEPTED, State.HELD] * 6
        batch, last = ledger.batch(batch_id), ledger.history(batch_id)[-1]
        assert (batch.state, batch.parts, batch.failed) in [
            (State.ACCEPTED, GOOD.parts, GOOD.failed),
            (State.HELD, BAD.parts, BAD.failed),
        ]
        assert last.action == batch.state.value
        assert len(ledger.history(batch_id)) == 13

    def test_one_of_many_who_accept_does(self, place: Place) -> None:
        ledger = place.open().ledger
        held = land(ledger, "a.csv", "x")
        ledger.judge(held, BAD, now=NOW)

        def accept(number: int) -> bool:
            try:
                place.open().ledger.accept(held, why="agreed", who=f"person {number}", now=NOW)
            except UnknownBatch:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(accept, range(8))).count(True) == 1
        assert [event.action for event in ledger.history(held)].count("accepted on purpose") == 1

    @pytest.mark.slow
    def test_a_kill_leaves_no_half_registration(self, place: Place) -> None:
        for _ in range(3):
            killed_half_way(register_without_end, place)
        ledger = place.open().ledger
        batches = ledger.batches()
        assert len(batches) >= 6
        assert {name for name, _ in ledger.seen()} == {batch.object for batch in batches}
        assert all(len(ledger.history(batch.batch_id)) == 1 for batch in batches)
        land(ledger, "last.csv", "last")
        assert ledger.batches()[-1].object == "last.csv"

    def test_what_a_person_types_is_no_pattern(self, ledger: Ledger) -> None:
        batch_id = land(ledger, "a.csv", "x")
        assert ledger.batch(suffix_of(batch_id)).batch_id == batch_id
        for typed in ("%", "a.csv", "_" * 12, suffix_of(batch_id)[:-1]):
            with pytest.raises(UnknownBatch):
                ledger.batch(typed)

    def test_any_text_comes_back(self, ledger: Ledger) -> None:
        for number, name in enumerate(AWKWARD):
            batch_id = land(ledger, name, f"{number}")
            ledger.judge(batch_id, replace(BAD, reasons={name: 1}), now=NOW)
            ledger.accept(batch_id, why=name, who=name, now=NOW)
            batch = ledger.batch(batch_id)
            assert (batch.object, batch.why, dict(batch.reasons)) == (name, name, {name: 1})
            assert ledger.history(batch_id)[-1].who == name
        huge = LandedObject("huge.csv", "1", 1 << 40, NOW)
        ledger.register(huge, source="events", content_hash="huge", now=NOW)
        assert ledger.batches()[-1].size == 1 << 40


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)

    def test_a_file_of_the_first_version_goes_on(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection, connection:
            connection.executescript(_FIRST_VERSION)
        ledger = Folder(tmp_path).open().ledger
        (batch,) = ledger.admitted()
        assert (batch.batch_id, batch.parts) == ("a.csv@0123456789ab", {"events": "events__a"})
        assert [event.action for event in ledger.history(batch.batch_id)] == ["landed", "accepted"]
        again = LandedObject("b.csv", "1", 10, NOW)
        assert ledger.register(again, source="events", content_hash="x", now=NOW) == (batch.batch_id, False)
        land(ledger, "c.csv", "y")
        assert [found.sequence for found in ledger.batches()] == [1, 3]
        assert len(ledger.history(batch.batch_id)) == 3


if WITH_SERVERS:

    class TestPostgresLedger(LedgerContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()


@given(st.text(), st.text(), st.text())
def test_batch_ids_are_fit_for_partitions_and_files(source: str, name: str, content: str) -> None:
    batch_id = batch_id_of(
        source.encode(errors="replace").decode(), name, content.encode(errors="replace").decode()
    )
    assert "..." not in batch_id
    assert batch_id.isprintable()
    assert len(batch_id) <= 133
    assert suffix_of(batch_id).isalnum()
