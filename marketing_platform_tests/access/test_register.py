"""Where keys are kept, in a folder and on PostgreSQL: states, rotation with overlap, revisions, last use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.access import Scope
from marketing_platform.access.issuing import issue, rotate
from marketing_platform.access.keys import mac
from marketing_platform.access.register import KeyRecord, KeyRegister
from marketing_platform.errors import InputError, UnknownKey
from marketing_platform_tests.releases.places import Folder, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = b"of this installation, and long enough"


@pytest.fixture(params=["folder", "postgres"] if WITH_SERVERS else ["folder"])
def register(request: pytest.FixtureRequest, tmp_path: Path) -> KeyRegister:
    place = Folder(tmp_path) if request.param == "folder" else on_postgres()
    return place.open().keys


def made(register: KeyRegister, *, lifetime: timedelta | None = 30 * DAY) -> tuple[str, KeyRecord]:
    return issue(
        register,
        SECRET,
        name="shop",
        owner="anna",
        scopes=[Scope.WRITE_DATA, Scope.READ_ANALYTICS],
        lifetime=lifetime,
        who="bert",
        now=NOW,
    )


def test_what_was_made_is_found_and_the_key_is_not(register: KeyRegister, tmp_path: Path) -> None:
    key, record = made(register)
    assert register.all() == [record]
    assert (record.owner, record.created_by, record.expires_at) == ("anna", "bert", NOW + 30 * DAY)
    assert record.scopes == {Scope.WRITE_DATA, Scope.READ_ANALYTICS}
    assert record.mac == mac(key, SECRET)
    private = key.split("_")[2].encode()
    assert not any(private in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_without_a_scope_is_not_made(register: KeyRegister) -> None:
    with pytest.raises(InputError, match="permits nothing"):
        issue(register, SECRET, name="n", owner="o", scopes=[], lifetime=None, who="w", now=NOW)
    assert register.all() == []


def test_states_over_time(register: KeyRegister) -> None:
    _, record = made(register)
    assert record.state(NOW) == "active"
    assert record.state(NOW + 30 * DAY) == "expired"
    ending = register.revoke(record.key_id, at=NOW + DAY, who="cleo")
    assert [ending.state(NOW), ending.state(NOW + DAY)] == ["ending", "revoked"]
    assert ending.revoked_by == "cleo"
    _, endless = made(register, lifetime=None)
    assert endless.state(NOW + 10_000 * DAY) == "active"


def test_an_end_comes_earlier_but_never_later(register: KeyRegister) -> None:
    _, record = made(register)
    register.revoke(record.key_id, at=NOW + DAY, who="cleo")
    assert register.revoke(record.key_id, at=NOW + 2 * DAY, who="dora").revoked_at == NOW + DAY
    assert register.revoke(record.key_id, at=NOW, who="dora").revoked_at == NOW


def test_nobody_revokes_or_rotates_what_is_not_there(register: KeyRegister) -> None:
    with pytest.raises(UnknownKey, match="keys list"):
        register.revoke("mp_0000000000", at=NOW, who="x")
    with pytest.raises(UnknownKey, match="keys list"):
        rotate(register, SECRET, "mp_0000000000", overlap=DAY, who="x", now=NOW)
    _, record = made(register)
    register.revoke(record.key_id, at=NOW, who="x")
    with pytest.raises(UnknownKey, match="still good"):
        rotate(register, SECRET, record.key_id, overlap=DAY, who="x", now=NOW)
    assert len(register.all()) == 1


def test_rotation_lets_both_be_good_for_a_while(register: KeyRegister) -> None:
    key, record = made(register)
    later = NOW + 10 * DAY
    new_key, new, old = rotate(register, SECRET, record.key_id, overlap=DAY, who="cleo", now=later)
    assert new_key != key
    assert (new.name, new.owner, new.scopes) == (record.name, record.owner, record.scopes)
    assert new.expires_at == later + 30 * DAY, "as long as the old one was good for"
    assert (old.replaced_by, old.revoked_at, old.revoked_by) == (new.key_id, later + DAY, "cleo")
    states = [[r.state(at) for r in register.all()] for at in (later, later + DAY)]
    assert states == [["ending", "active"], ["revoked", "active"]]


def test_a_revoked_key_still_tells_which_replaced_it(register: KeyRegister) -> None:
    _, record = made(register)
    _, new, _ = rotate(register, SECRET, record.key_id, overlap=DAY, who="x", now=NOW)
    assert register.revoke(record.key_id, at=NOW, who="x").replaced_by == new.key_id


def test_every_change_is_another_revision_and_a_use_is_none(register: KeyRegister) -> None:
    seen = [register.revision()]
    _, record = made(register)
    seen.append(register.revision())
    rotate(register, SECRET, record.key_id, overlap=DAY, who="x", now=NOW)
    seen.append(register.revision())
    register.revoke(record.key_id, at=NOW, who="x")
    seen.append(register.revision())
    assert len(set(seen)) == 4
    register.note_used({record.key_id: NOW})
    assert register.revision() == seen[-1]


def test_the_last_use_never_goes_back(register: KeyRegister) -> None:
    _, record = made(register)
    for at in (NOW + DAY, NOW):
        register.note_used({record.key_id: at, "mp_0000000000": at})
    assert [one.last_used_at for one in register.all()] == [NOW + DAY]
