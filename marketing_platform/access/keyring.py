"""Verifies API keys from memory: every key of the register is here, and read again when one changed.

So a request costs a hash and no look-up, a flood of unknown keys finds nothing to fill, and a revocation
takes effect with the next `refresh`. A key that was found good is known again by a fingerprint, until its
record is read anew. Who calls `refresh`, and when, is the API's matter.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from marketing_platform.access.keys import ID_LENGTH, key_id, mac
from marketing_platform.access.principals import Principal, Refusal, Refused
from marketing_platform.access.register import KeyRecord, KeyRegister

# While the register does not answer, nobody can revoke in it either; so what was read last goes on counting,
# but not for ever: this process may be the only one that does not reach it.
_TRUSTED_SECONDS = 900.0
_USE_NOTED_EVERY = timedelta(minutes=1)
_UNPROVEN = bytes(32)  # the fingerprint of no key


@dataclass(slots=True)
class _Known:
    """A record as it was read; one that is read anew has to be proven anew."""

    record: KeyRecord
    principal: Principal
    proven: bytes = _UNPROVEN  # fingerprint of the key that was found to be the record's


@dataclass(frozen=True)
class Change:
    """A key that is new or has changed since the last reading."""

    record: KeyRecord
    new: bool


class KeyRing:
    """The keys of a register; `find` and `uses_due` never block, `refresh` and `note_uses` do."""

    def __init__(
        self,
        register: KeyRegister,
        secret: Callable[[], bytes],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._register = register
        self._read_secret = secret
        self._secret = b""
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._blind = secrets.token_bytes(32)  # so that a fingerprint says nothing outside of this process
        self._revision: int | None = None  # nothing was read yet
        self._read_at = float("-inf")  # monotonic clock
        self._answers = False
        self._used: dict[str, datetime] = {}  # since `note_uses`
        self._noted: dict[str, datetime] = {}

    @property
    def empty(self) -> bool:
        """Whether no key could be used now."""
        now = self._clock()
        return not any(known.record.state(now) in {"active", "ending"} for known in self._known.values())

    def find(self, key: str) -> Principal | Refused:
        """Who has the key, or why it is refused; never blocks.

        `UNKNOWN` may be a key that was made since the last reading, `UNAVAILABLE` means that it cannot be
        told because the register does not answer.
        """
        known = self._proven(key)
        public = known.record.key_id if known else key_id(key)
        if public is None:
            return Refused(Refusal.MALFORMED)
        if time.monotonic() - self._read_at > _TRUSTED_SECONDS:
            return Refused(Refusal.UNAVAILABLE, public)
        known = known or self._prove(key, public)
        if known is None:
            told = public in self._known or self._answers
            return Refused(Refusal.UNKNOWN if told else Refusal.UNAVAILABLE, public)
        now = self._clock()
        match known.record.state(now):
            case "revoked":
                return Refused(Refusal.REVOKED, public)
            case "expired":
                return Refused(Refusal.EXPIRED, public)
            case _:
                self._used[public] = now
                return known.principal

    def refresh(self) -> list[Change]:
        """Read the register if it changed; what changed since, nothing for the first reading."""
        self._secret = self._secret or self._read_secret()
        before = time.monotonic()
        try:
            revision = self._register.revision()
            changes = [] if revision == self._revision else self._read()
        except BaseException:
            self._answers = False
            raise
        self._answers = True
        first, self._revision, self._read_at = self._revision is None, revision, before
        return [] if first else changes

    def uses_due(self) -> dict[str, datetime]:
        """Keys whose last use is to be written now: each at most once a minute; never blocks."""
        used, self._used = self._used, {}
        due = {
            public: at
            for public, at in used.items()
            if public not in self._noted or at - self._noted[public] >= _USE_NOTED_EVERY
        }
        self._noted.update(due)
        return due

    def note_uses(self, due: Mapping[str, datetime]) -> None:
        """Write them."""
        self._register.note_used(due)

    # Both hash whatever is sent: how long an answer takes does not tell which ids there are.
    def _proven(self, key: str) -> _Known | None:
        """Whose key it is, if `_prove` found that out since the record was read; a third of its work."""
        known = self._known.get(key[:ID_LENGTH])
        proven = known.proven if known else _UNPROVEN
        return known if hmac.compare_digest(self._fingerprint(key), proven) else None

    def _prove(self, key: str, public: str) -> _Known | None:
        known = self._known.get(public)
        offered = mac(key, self._secret)
        if not hmac.compare_digest(offered, known.record.mac if known else bytes(len(offered))) or not known:
            return None
        known.proven = self._fingerprint(key)
        return known

    def _fingerprint(self, key: str) -> bytes:
        return blake2b(
            key.encode(errors="surrogatepass"), key=self._blind, digest_size=len(_UNPROVEN)
        ).digest()

    def _read(self) -> list[Change]:
        before = self._known
        records = self._register.all()
        self._known = {
            record.key_id: _Known(record, Principal(record.key_id, "key", record.scopes))
            for record in records
        }
        return [
            Change(record, new=record.key_id not in before)
            for record in records
            if record.key_id not in before or _essence(before[record.key_id].record) != _essence(record)
        ]


def _essence(record: KeyRecord) -> tuple[object, ...]:
    """What a change is about: not the last use."""
    return (record.mac, record.scopes, record.expires_at, record.revoked_at)
