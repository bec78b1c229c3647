"""Each message lands exactly once, whoever dies, comes back, or does not know that it was replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.errors import StoreUnavailable, StreamBroken
from marketing_platform.ingestion.stream_chain import Chain
from marketing_platform.ingestion.streaming import BatchLimits, Lander, Progress
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.stream import Bookmark
from marketing_platform_tests.ingestion.memory_stream import PARTITION, Log, MemoryStream


def filled(messages: int) -> Log:
    log = Log()
    for n in range(messages):
        log.append(b'{"n": %d}' % n)
    return log


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "landing", tmp_path / "kept")


def lander(
    stream: MemoryStream,
    objects: FolderObjects,
    *,
    rows: int = 3,
    waiting: Callable[[object], int] = lambda _: 0,
    accept_gap: bool = False,
) -> Lander:
    limits = BatchLimits(rows=rows, seconds=60, size=1 << 20, message_bytes=1 << 20, waiting=10)
    return Lander(stream, objects, limits, waiting=waiting, accept_gap=accept_gap)


def land(log: Log, objects: FolderObjects, *, rows: int = 3, accept_gap: bool = False) -> Progress:
    return lander(MemoryStream(log), objects, rows=rows, accept_gap=accept_gap).run(
        once=True, stop=lambda: False
    )


def lines(objects: FolderObjects) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for landed in objects.list():
        content_hash, _ = objects.snapshot(landed)
        with objects.open(content_hash) as content:
            found += map(json.loads, content)
    return found


def landed_offsets(objects: FolderObjects) -> list[int]:
    return [line["kafka"]["offset"] for line in lines(objects)]  # type: ignore[index]


class DyingObjects(FolderObjects):
    """Whoever lands the object of that number dies, before or after it is there."""

    def __init__(self, folder: Path, *, at: int, after: bool) -> None:
        super().__init__(folder / "landing", folder / "kept")
        self._at, self._after = at, after

    def create(self, name: str, content: Iterable[bytes]) -> LandedObject:
        self._at -= 1
        if self._at == 0 and not self._after:
            raise KeyboardInterrupt
        landed = super().create(name, content)
        if self._at == 0:
            raise KeyboardInterrupt
        return landed


def test_messages_land_in_order_in_objects_of_so_many_rows(objects: FolderObjects) -> None:
    progress = land(filled(7), objects)
    assert landed_offsets(objects) == list(range(7))
    assert [found.name.rpartition("/")[2] for found in objects.list()] == [
        f"{first:020}.ndjson" for first in (0, 3, 6)
    ]
    assert (progress.messages, progress.batches, progress.lag) == (7, 3, {PARTITION: 0})


def test_landing_again_lands_only_what_is_new(objects: FolderObjects) -> None:
    log = filled(4)
    land(log, objects)
    assert land(log, objects).messages == 0
    log.append(b'{"n": 4}')
    assert land(log, objects).messages == 1
    assert landed_offsets(objects) == list(range(5))


@pytest.mark.parametrize("after", [False, True], ids=["before landing", "between landing and commit"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_death_around_a_landing_costs_nothing(tmp_path: Path, at: int, after: bool) -> None:
    log, dying = filled(8), DyingObjects(tmp_path, at=at, after=after)
    with pytest.raises(KeyboardInterrupt):
        lander(MemoryStream(log), dying).run(once=True, stop=lambda: False)
    land(log, dying)
    assert landed_offsets(dying) == list(range(8))


def test_two_who_believe_they_own_a_partition_land_each_message_once(objects: FolderObjects) -> None:
    log = filled(20)
    zombie = MemoryStream(log)
    stale = lander(zombie, objects, rows=5)
    # The zombie reads and lands its first batch, and goes on once the other has landed the rest.
    others = iter([lambda: None, lambda: None, lambda: land(log, objects, rows=4)])

    def stop() -> bool:
        next(others, lambda: None)()
        return stale.progress.messages + stale.progress.collisions >= 20

    stale.run(once=True, stop=stop)
    assert landed_offsets(objects) == list(range(20))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["land", "die", "die after", "append", "gap", "compact", "forget"]),
            st.integers(1, 6),
        ),
        max_size=12,
    )
)
def test_whatever_happens_in_between_each_message_lands_exactly_once(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        log, objects, sent = Log(), FolderObjects(Path(folder, "landing"), Path(folder, "kept")), set[int]()
        for step, size in steps:
            if step == "append":
                for _ in range(size):
                    log.append(b"{}")
            elif step == "gap":
                log.append(b"{}", skip=size)
            elif step == "compact":
                done = set(landed_offsets(objects))
                log.compact(lambda message: message.offset in done or message.offset % 7 != size)  # noqa: B023
            elif step == "forget":  # the group's offsets expire
                log.bookmark = None
            elif step == "land":
                land(log, objects, rows=size)
            else:
                dying = DyingObjects(Path(folder), at=size, after=step == "die after")
                with suppress(KeyboardInterrupt):
                    lander(MemoryStream(log), dying, rows=2).run(once=True, stop=lambda: False)
            sent |= {message.offset for message in log.messages}
        land(log, objects)
        landed = landed_offsets(objects)
        assert all(before < after for before, after in pairwise(landed))
        assert {message.offset for message in log.messages} <= set(landed) <= sent


def test_who_sees_another_first_message_after_compaction_collides_all_the_same(
    objects: FolderObjects,
) -> None:
    log = filled(4)
    land(log, objects)
    for n in range(4, 10):
        log.append(b'{"n": %d}' % n)
    stale = MemoryStream(Log(list(log.messages), 0, log.end, log.bookmark))
    log.compact(lambda message: message.offset not in (4, 5))
    land(log, objects)
    progress = lander(stale, objects).run(once=True, stop=lambda: False)
    assert progress.messages == 0
    assert landed_offsets(objects) == [0, 1, 2, 3, 6, 7, 8, 9]


def test_equal_messages_are_messages_of_their_own(objects: FolderObjects) -> None:
    log = Log()
    for _ in range(6):
        log.append(b'{"event": "view"}')
    land(log, objects)
    hashes = {objects.snapshot(landed)[0] for landed in objects.list()}
    assert len(hashes) == 2  # equal content would be one batch to the ledger


def test_an_offset_set_by_hand_does_not_move_what_has_landed(objects: FolderObjects) -> None:
    log = filled(6)
    land(log, objects)
    for moved in (0, 3, 6):
        log.bookmark = Bookmark(moved, "")
        assert land(log, objects).messages == 0
    log.append(b"{}")
    log.bookmark = Bookmark(7, "")
    land(log, objects)
    assert landed_offsets(objects) == list(range(7))


def test_a_new_chain_begins_where_a_person_set_the_group(objects: FolderObjects) -> None:
    log = filled(6)
    log.bookmark = Bookmark(4, "")
    land(log, objects)
    assert landed_offsets(objects) == [4, 5]


def test_a_gap_left_by_retention_is_refused_and_counted_once_accepted(objects: FolderObjects) -> None:
    log = filled(4)
    land(log, objects)
    for n in range(4, 10):
        log.append(b'{"n": %d}' % n)
    log.remove_before(7)
    with pytest.raises(
        StreamBroken, match=r"events\[0\] begins at offset 7 .* ends at 4: .* removed 3 offsets"
    ):
        land(log, objects)
    progress = land(log, objects, accept_gap=True)
    assert progress.lost == 3
    assert progress.dead_letters == 1
    assert landed_offsets(objects) == [0, 1, 2, 3, 6, 7, 8, 9]  # 6: the record that stands for 4 to 6
    assert land(log, objects).messages == 0


def test_a_stream_that_ends_before_what_landed_is_refused(objects: FolderObjects) -> None:
    land(filled(6), objects)
    with pytest.raises(StreamBroken, match="ends at offset 2, but what landed from it ends at 6"):
        land(filled(2), objects)


def test_landed_objects_that_were_cleared_away_are_missed(tmp_path: Path, objects: FolderObjects) -> None:
    log = filled(6)
    land(log, objects)
    for landed in list(objects.list()):
        (tmp_path / "landing" / landed.name).unlink()
    log.append(b"{}")
    with pytest.raises(StreamBroken, match="not in the landing zone"):
        land(log, objects)
    land(log, objects, accept_gap=True)
    assert landed_offsets(objects) == [6]


def test_a_foreign_file_among_the_landed_objects_is_named(objects: FolderObjects) -> None:
    log = filled(3)
    land(log, objects)
    objects.put(f"{Chain(objects, PARTITION).folder}/notes.txt", [b"hello"])
    log.bookmark = None
    with pytest.raises(StreamBroken, match=r"notes\.txt was not written by the consumer"):
        land(log, objects)


def test_dead_letters_land_and_are_counted(objects: FolderObjects) -> None:
    log = Log()
    for value in (b"{}", None, b"\xff", b"[]"):
        log.append(value)
    assert land(log, objects).dead_letters == 3
    assert landed_offsets(objects) == [0, 1, 2, 3]


def test_reading_pauses_while_too_much_waits_and_goes_on_after(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketing_platform.ingestion.streaming._LOOK_EVERY", 0.0)
    counts: Iterator[int] = iter([11, 11, 6, 5, 0, 0, 0, 0, 0, 0, 0])
    paused: list[bool] = []
    stream = MemoryStream(filled(9))
    slow = lander(stream, objects, waiting=lambda _: next(counts))

    def stop() -> bool:
        paused.append(stream.is_paused)
        return slow.progress.messages == 9

    slow.run(once=False, stop=stop)
    assert paused[:6] == [False, True, True, True, False, False]
    assert landed_offsets(objects) == list(range(9))


def test_with_once_it_ends_instead_of_waiting(objects: FolderObjects) -> None:
    progress = lander(MemoryStream(filled(9)), objects, waiting=lambda _: 11).run(
        once=True, stop=lambda: False
    )
    assert (progress.paused, progress.waiting) == (True, 11)


def test_what_was_gathered_lands_when_told_to_stop(objects: FolderObjects) -> None:
    stops = iter([False, False, True])
    lander(MemoryStream(filled(5)), objects, rows=1000).run(once=False, stop=lambda: next(stops))
    assert landed_offsets(objects) == list(range(5))


def test_memory_is_bounded_over_all_partitions(objects: FolderObjects) -> None:
    limits = BatchLimits(rows=1000, seconds=60, size=10, message_bytes=1 << 20, waiting=10)
    stops = iter([False, False, False, True])
    stream = MemoryStream(filled(5))
    progress = Lander(stream, objects, limits, waiting=lambda _: 0).run(once=False, stop=lambda: next(stops))
    assert progress.batches == 1
    assert landed_offsets(objects) == list(range(5))


def test_after_an_error_the_stream_is_left_and_nothing_half_read_lands(objects: FolderObjects) -> None:
    stream = MemoryStream(filled(5), unreachable_from=5)
    with pytest.raises(StoreUnavailable):
        lander(stream, objects).run(once=False, stop=lambda: False)
    assert stream.closed
    assert landed_offsets(objects) == [0, 1, 2]
    land(filled(5), objects)
    assert landed_offsets(objects) == list(range(5))
