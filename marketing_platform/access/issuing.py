"""Making keys, and letting one take over from another. The key itself is given out once, here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from marketing_platform.access.keys import key_id, mac, new_key
from marketing_platform.access.principals import Scope
from marketing_platform.access.register import KeyRecord, KeyRegister
from marketing_platform.errors import InputError, UnknownKey


def issue(
    register: KeyRegister,
    secret: bytes,
    *,
    name: str,
    owner: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
    who: str,
    now: datetime,
) -> tuple[str, KeyRecord]:
    """A new key, and what is kept of it.

    Args:
        register: Where it is kept.
        secret: The installation's, under which it is stored.
        name: What it is for.
        owner: Who is asked when it leaks.
        scopes: What it permits; at least one.
        lifetime: After which it expires; None for never.
        who: Makes it.
        now: UTC.
    """
    if not scopes:
        raise InputError("a key without a scope permits nothing; name at least one")
    key, record = _drawn(secret, name=name, owner=owner, scopes=frozenset(scopes), who=who, now=now)
    record = replace(record, expires_at=None if lifetime is None else now + lifetime)
    register.add(record)
    return key, record


def rotate(
    register: KeyRegister, secret: bytes, key_id: str, *, overlap: timedelta, who: str, now: datetime
) -> tuple[str, KeyRecord, KeyRecord]:
    """A key that permits the same for as long; the old one ends after `overlap`.

    Returns:
        The new key, what is kept of it, and what is now known of the old one.

    Raises:
        UnknownKey: There is none of that id, or it has ended.
    """
    old = next((record for record in register.all() if record.key_id == key_id), None)
    if old is None or old.state(now) in {"revoked", "expired"}:
        raise UnknownKey(
            f"no API key {key_id!r} that is still good; `marketing-platform keys list` shows them,"
            " `marketing-platform keys create` makes one"
        )
    key, record = _drawn(secret, name=old.name, owner=old.owner, scopes=old.scopes, who=who, now=now)
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    record = replace(record, expires_at=None if lifetime is None else now + lifetime)
    return key, record, register.replace(key_id, record, at=now + overlap, who=who)


def _drawn(
    secret: bytes, *, name: str, owner: str, scopes: frozenset[Scope], who: str, now: datetime
) -> tuple[str, KeyRecord]:
    key = new_key()
    public = key_id(key)
    if public is None:
        raise RuntimeError("new_key() made something that key_id() does not take for a key")
    return key, KeyRecord(
        key_id=public,
        mac=mac(key, secret),
        name=name,
        owner=owner,
        scopes=scopes,
        created_at=now,
        created_by=who,
    )
