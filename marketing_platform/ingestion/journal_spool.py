"""A journal on a local disk: segments that are appended to, flushed once per group, and landed when full.

Every process has segments of its own and holds a lock on them (`flock`) as long as it lives. What lies there
unlocked was left by one that died, and whoever looks next lands it: the lines that were acknowledged are
whole, since they were flushed to disk, and a write that is not whole is cut off. Landing is
`Objects.create`: the object appears at once, and a second try finds it there.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import structlog

from marketing_platform.errors import AlreadyThere, MarketingPlatformError, StoreFull
from marketing_platform.ingestion.journal import Durable, Entry, InObject, Place, Remember, object_name
from marketing_platform.ingestion.journal_threads import GroupThread, Waiting
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.ingestion.written import Envelope, Kind
from marketing_platform.stores.full_disk import telling_full_disk
from marketing_platform.stores.protocols import Objects

_BEAT = 0.2  # seconds within which a segment's age is looked at
_SWEEP_EVERY = 2.0  # seconds between two looks for what dead processes left
_SUFFIX = ".segment"
_log: Any = structlog.get_logger("ingestion.journal")


class SpoolJournal:
    """Implements `Journal` on a folder that several processes of one machine share."""

    def __init__(
        self, folder: Path, objects: Objects, settings: WriteSettings, *, remember: Remember
    ) -> None:
        """Nothing is touched yet.

        Args:
            folder: Of the spool, on a disk that honours fsync.
            objects: Where to land.
            settings: When a segment is full.
            remember: Told of writes with a key before their segment may land, and of those that are found in
                the segment of a dead process.
        """
        self._folder = folder
        self._objects = objects
        self._settings = settings
        self._remember = remember
        self._open_segments: dict[Kind, _Segment] = {}
        self._sweeping: Future[None] | None = None
        self._landing = ThreadPoolExecutor(1, thread_name_prefix="landing")
        self._thread = GroupThread(self._commit, self._tidy, waiting=settings.waiting_entries, beat=_BEAT)
        self._swept = 0.0

    @property
    def remembers(self) -> bool:
        return True

    def open(self) -> None:
        """Land what dead processes left, then take writes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        self._swept = time.monotonic()
        self._thread.start()

    def append(self, entry: Entry) -> Future[Place]:
        """Part of the next flush."""
        return self._thread.append(entry)

    def close(self) -> None:
        """Flush, land every segment, and end."""
        self._thread.close()
        for kind in list(self._open_segments):
            self._seal(kind)
        self._landing.shutdown(wait=True)

    def _commit(self, group: Sequence[Waiting]) -> None:
        by_kind: dict[Kind, list[Waiting]] = defaultdict(list)
        for waiting in group:
            by_kind[waiting.entry.kind].append(waiting)
        for kind, waiting in by_kind.items():
            segment = self._open_segments.get(kind)
            try:
                with telling_full_disk(self._folder):
                    segment = segment or self._begin(kind)
                    segment.append([line for one in waiting for line in one.entry.lines])
            except (OSError, MarketingPlatformError) as error:
                self._give_up(kind, waiting, error)
                continue
            place = InObject(segment.name)
            self._note([one.entry for one in waiting], place)
            for one in waiting:
                one.place.set_result(place)

    def _note(self, entries: Sequence[Entry], place: Place) -> None:
        """Only then may the segment be landed, which happens in this thread later."""
        keyed = [
            Durable(entry.envelope, len(entry.lines), place)
            for entry in entries
            if entry.envelope.idempotency
        ]
        if not keyed:
            return
        try:
            self._remember(keyed)
        except Exception as error:  # noqa: BLE001 -- the writes are safe; only a key is not remembered
            _log.error("keys not remembered", entries=len(keyed), reason=str(error))

    def _begin(self, kind: Kind) -> _Segment:
        segment = _Segment.make(self._folder, kind)
        self._open_segments[kind] = segment
        return segment

    def _give_up(self, kind: Kind, waiting: Sequence[Waiting], error: Exception) -> None:
        """After a failed flush nobody knows what of a file is on disk: what was flushed before lands."""
        _log.error("writes not durable", entries=len(waiting), reason=str(error))
        for one in waiting:
            one.place.set_exception(
                error
                if isinstance(error, MarketingPlatformError)
                else StoreFull(f"writes cannot be kept in {self._folder}: {error}; see that disk")
            )
        if kind in self._open_segments:
            with suppress(OSError):
                self._open_segments[kind].cut_to_durable()
            self._seal(kind)

    def _tidy(self) -> None:
        now = time.monotonic()
        for kind, segment in list(self._open_segments.items()):
            full = segment.size >= self._settings.segment_bytes
            if full or now - segment.since >= self._settings.segment_seconds:
                self._seal(kind)
        if now - self._swept >= _SWEEP_EVERY:
            self._swept = now
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = self._landing.submit(self._sweep)

    def _seal(self, kind: Kind) -> None:
        segment = self._open_segments.pop(kind)
        self._landing.submit(self._land, segment)

    def _land(self, segment: _Segment) -> None:
        try:
            segment.land(self._objects)
        except Exception as error:  # noqa: BLE001 -- what is durable stays where it is until a sweep lands it
            _log.error("segment not landed", segment=segment.name, reason=str(error))
        finally:
            segment.close()

    def _sweep(self) -> None:
        """Land the segments that nobody holds."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path.name.startswith("."):  # not begun yet
                continue
            segment = _Segment.taken_over(path)
            if segment is None:
                continue
            try:
                place = InObject(segment.name)
                found = [(Envelope.of_head(head), head["lines"]) for head in segment.repair()]
                keyed = [Durable(envelope, rows, place) for envelope, rows in found if envelope.idempotency]
                if keyed:
                    self._remember(keyed)
                segment.land(self._objects)
            except Exception as error:  # noqa: BLE001 -- the next sweep tries again
                _log.error("segment not recovered", segment=segment.name, reason=str(error))
            finally:
                segment.close()


class _Segment:
    """One file of the spool, locked by us; `<kind>.<name>.segment`."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self._file = file
        self.size = size
        self.since = time.monotonic()
        self.kind: Kind
        self.kind, self.name = path.name.removesuffix(_SUFFIX).split(".")  # pyright: ignore[reportAttributeAccessIssue] -- we named it

    @classmethod
    def make(cls, folder: Path, kind: Kind) -> _Segment:
        """A new, empty one; its name will survive too."""
        path = folder / f"{kind}.{secrets.token_hex(12)}{_SUFFIX}"
        # Locked before it has its name, so that no other process takes it for one that was left.
        hidden = path.with_name(f".{path.name}")
        file = hidden.open("w+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
            sync_folder(folder)
        except BaseException:
            file.close()
            hidden.unlink(missing_ok=True)
            raise
        return cls(path, file, 0)

    @classmethod
    def taken_over(cls, path: Path) -> _Segment | None:
        """One that a dead process left; None when somebody holds it, or has landed it meanwhile."""
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return cls(path, file, os.fstat(file.fileno()).st_size)
        except OSError:
            pass
        file.close()
        return None

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines and bring them to disk, all or (after an error) none that counts."""
        content = b"".join(lines)
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]
        os.fdatasync(self._file.fileno())
        self.size += len(content)

    def cut_to_durable(self) -> None:
        """Take away what was written since the last flush that succeeded."""
        self._file.truncate(self.size)
        os.fdatasync(self._file.fileno())

    def repair(self) -> Iterator[dict[str, Any]]:
        """Cut off what is not a whole write; yields the heads of the whole ones."""
        end = 0
        position = 0
        self._file.seek(0)
        with self.path.open("rb") as reading:
            for line in reading:
                head = _head(line)
                if head is None:
                    break
                position += len(line)
                if head["line"] == head["lines"] - 1:
                    end = position
                    yield head
        if end < self.size:
            self._file.truncate(end)
            os.fsync(self._file.fileno())
            self.size = end

    def land(self, objects: Objects) -> None:
        """Make it an object of the landing zone, and the file go."""
        if self.size:
            with self.path.open("rb") as content, suppress(AlreadyThere):
                objects.create(object_name(self.kind, self.name), content)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _head(line: bytes) -> dict[str, Any] | None:
    """The head of a whole line of ours."""
    if not line.endswith(b"\n"):
        return None
    try:
        return orjson.loads(line)["value"]["write"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
