"""Keys are verified from memory: what counts is what was read last, and for how long."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.access import Principal, Refusal, Refused, Scope, keyring
from marketing_platform.access.issuing import issue
from marketing_platform.access.keyring import KeyRing
from marketing_platform.access.keys import checksum, key_id, new_key
from marketing_platform.access.register import KeyRecord, KeyRegister
from marketing_platform.errors import StoreUnavailable
from marketing_platform.releases.records import in_folder

SECRET = b"of this installation, and long enough"
START = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Breakable(KeyRegister):
    """The real register behind a line that can be cut."""

    def __init__(self, register: KeyRegister) -> None:
        self._database = register._database
        self.cut = False
        self.read = 0

    def revision(self) -> int:
        if self.cut:
            raise StoreUnavailable("gone")
        return super().revision()

    def all(self) -> list[KeyRecord]:
        self.read += 1
        return super().all()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(tmp_path: Path) -> Breakable:
    return Breakable(in_folder(tmp_path).keys)


@pytest.fixture
def ring(register: Breakable, clock: Clock) -> KeyRing:
    return KeyRing(register, lambda: SECRET, clock=clock)


def made(register: KeyRegister, *, lifetime: timedelta | None = None) -> str:
    key, _ = issue(
        register, SECRET, name="n", owner="o", scopes=[Scope.ADMIN], lifetime=lifetime, who="w", now=START
    )
    return key


def why(ring: KeyRing, key: str) -> Refusal | None:
    found = ring.find(key)
    return found.why if isinstance(found, Refused) else None


def test_before_the_first_reading_nobody_is_let_in(ring: KeyRing, register: Breakable) -> None:
    assert why(ring, made(register)) is Refusal.UNAVAILABLE
    assert ring.empty


def test_a_key_is_its_public_part_and_its_scopes(ring: KeyRing, register: Breakable) -> None:
    key = made(register)
    ring.refresh()
    assert ring.find(key) == Principal(str(key_id(key)), "key", frozenset({Scope.ADMIN}))
    assert not ring.empty


def test_another_secret_part_or_another_secret_opens_nothing(register: Breakable, ring: KeyRing) -> None:
    key = made(register)
    ring.refresh()
    body = f"{key_id(key)}_{new_key().split('_')[2]}"
    assert why(ring, f"{body}_{checksum(body)}") is Refusal.UNKNOWN
    elsewhere = KeyRing(register, lambda: b"of another installation, long enough")
    elsewhere.refresh()
    assert why(elsewhere, key) is Refusal.UNKNOWN
    assert why(ring, key[:-1]) is Refusal.MALFORMED


def test_it_reads_again_only_what_changed(ring: KeyRing, register: Breakable) -> None:
    key = made(register)
    assert ring.refresh() == [], "what was there at the start is no news"
    for _ in range(5):
        assert ring.refresh() == []
    assert register.read == 1
    other = made(register)
    assert why(ring, other) is Refusal.UNKNOWN
    (change,) = ring.refresh()
    assert (change.record.key_id, change.new) == (key_id(other), True)
    register.revoke(str(key_id(key)), at=START, who="w")
    (change,) = ring.refresh()
    assert (change.record.key_id, change.new) == (key_id(key), False)
    assert why(ring, key) is Refusal.REVOKED
    assert why(ring, other) is None


def test_a_key_that_was_good_is_revoked_with_the_next_reading(ring: KeyRing, register: Breakable) -> None:
    key, other = made(register), made(register)
    ring.refresh()
    for _ in range(2):
        assert (why(ring, key), why(ring, other)) == (None, None)
        swapped = f"{key_id(key)}_{other.split('_')[2]}"
        assert why(ring, f"{swapped}_{checksum(swapped)}") is Refusal.UNKNOWN
    register.revoke(str(key_id(key)), at=START, who="w")
    ring.refresh()
    for _ in range(2):
        assert (why(ring, key), why(ring, other)) == (Refusal.REVOKED, None)


def test_it_expires_by_itself(ring: KeyRing, register: Breakable, clock: Clock) -> None:
    key = made(register, lifetime=timedelta(hours=1))
    ring.refresh()
    clock.now += timedelta(minutes=59)
    assert why(ring, key) is None
    clock.now += timedelta(minutes=1)
    assert why(ring, key) is Refusal.EXPIRED
    assert ring.empty


def test_a_register_that_is_gone_leaves_known_keys_good_for_a_while(
    ring: KeyRing, register: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(register)
    ring.refresh()
    register.cut = True
    with pytest.raises(StoreUnavailable):
        ring.refresh()
    assert why(ring, key) is None
    assert why(ring, new_key()) is Refusal.UNAVAILABLE, "it may have been made meanwhile"
    monkeypatch.setattr(keyring, "_TRUSTED_SECONDS", 0.0)
    assert why(ring, key) is Refusal.UNAVAILABLE
    register.cut = False
    monkeypatch.undo()
    ring.refresh()
    assert why(ring, new_key()) is Refusal.UNKNOWN


def test_uses_are_written_at_most_once_a_minute(ring: KeyRing, register: Breakable, clock: Clock) -> None:
    key = made(register)
    ring.refresh()
    assert ring.uses_due() == {}
    written = []
    for second in range(0, 130, 10):
        clock.now = START + timedelta(seconds=second)
        ring.find(key)
        if due := ring.uses_due():
            ring.note_uses(due)
            written.append(second)
    assert written == [0, 60, 120]
    assert [record.last_used_at for record in register.all()] == [START + timedelta(seconds=120)]


def test_a_flood_of_unknown_keys_leaves_nothing_behind(ring: KeyRing, register: Breakable) -> None:
    ring.refresh()
    for _ in range(1000):
        assert why(ring, new_key()) is Refusal.UNKNOWN
    assert ring.uses_due() == {}
    assert not any(vars(ring)[name] for name in ("_known", "_used", "_noted"))
    assert register.read == 1


def test_the_work_does_not_tell_which_keys_there_are(
    ring: KeyRing, register: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known id or not, whichever letter is wrong, whoever has been here: hashes, compared at leisure."""
    key = made(register)
    ring.refresh()
    body = f"{key_id(key)}_{'x' * 32}"
    calls: list[str] = []
    real_digest, real_compare = hmac.digest, hmac.compare_digest

    def digest(*given: object) -> bytes:
        calls.append("digest")
        return real_digest(*given)  # type: ignore[arg-type]

    def compare(one: bytes, other: bytes) -> bool:
        calls.append(f"compare {len(one)} {len(other)}")
        return real_compare(one, other)

    monkeypatch.setattr("hmac.digest", digest)
    monkeypatch.setattr("hmac.compare_digest", compare)
    seen = []
    for one in (key, f"{body}_{checksum(body)}", new_key()):
        calls.clear()
        ring.find(one)
        seen.append(list(calls))
    assert seen == [["compare 32 32", "digest", "compare 32 32"]] * 3
