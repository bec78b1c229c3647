"""`keys`: who may call the API. A key is shown once, when it is made; what is kept does not give it away."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.access.principals import Scope
from marketing_platform.cli.options import DataDir, settings_of, who
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console
from marketing_platform.errors import StoreUnavailable

if TYPE_CHECKING:
    from marketing_platform.access.register import KeyRecord
    from marketing_platform.settings import Settings

app = typer.Typer(no_args_is_help=True)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,5})([smhd])")
_DEMO_SCOPES = (Scope.READ_RECOMMENDATIONS, Scope.WRITE_DATA, Scope.READ_ANALYTICS)
_DASHBOARD_SCOPES = (*_DEMO_SCOPES, Scope.READ_AUDIT)
_DEMO_DAYS, _DASHBOARD_DAYS = 30, 365


KeyId = Annotated[str, typer.Argument(help="The public part of a key, mp_ and ten letters.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it permits; may be given several times.")]


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    scope: Scopes,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Who is asked when it leaks; you unless given.")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="After how long: 90d, 12h, or never.")] = "365d",
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Make a key and print it, this once."""
    from marketing_platform.access.api_settings import api_secret
    from marketing_platform.access.issuing import issue
    from marketing_platform.releases.records import open_records

    settings = settings_of(data_dir)
    key, record = issue(
        open_records(settings).keys,
        api_secret(settings),
        name=name,
        owner=owner or who(),
        scopes=scope,
        lifetime=None if expires == "never" else _duration(expires, "--expires"),
        who=who(),
        now=_now(),
    )
    _show_new(key, record, json=json)


@app.command("list")
def list_keys(data_dir: DataDir = None, json: JsonOption = False) -> None:
    """Every key there ever was, oldest first; never what would let somebody use one."""
    from marketing_platform.releases.records import open_records

    now = _now()
    records = open_records(settings_of(data_dir)).keys.all()
    if json:
        emit_json([_as_dict(record, now) for record in records])
        return
    emit_table(
        "API keys",
        ["key", "name", "owner", "scopes", "state", "ends (UTC)", "last used (UTC)"],
        [
            (
                record.key_id,
                record.name,
                record.owner,
                ", ".join(sorted(record.scopes)),
                record.state(now),
                _minute(record.revoked_at or record.expires_at),
                _minute(record.last_used_at),
            )
            for record in records
        ],
    )


@app.command()
def revoke(key_id: KeyId, data_dir: DataDir = None, json: JsonOption = False) -> None:
    """End a key now; every process that serves knows within a second."""
    from marketing_platform.releases.records import open_records

    now = _now()
    record = open_records(settings_of(data_dir)).keys.revoke(key_id, at=now, who=who())
    if json:
        emit_json(_as_dict(record, now))
    else:
        console.print(f"[bold]{record.key_id}[/] ({record.name}) is revoked", highlight=False)


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option("--overlap", help="How long both are good: 24h, 7d, 0s.")] = "24h",
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Make a key that permits the same and print it; the old one ends after the overlap."""
    from marketing_platform.access import issuing
    from marketing_platform.access.api_settings import api_secret
    from marketing_platform.releases.records import open_records

    settings = settings_of(data_dir)
    key, record, old = issuing.rotate(
        open_records(settings).keys,
        api_secret(settings),
        key_id,
        overlap=_duration(overlap, "--overlap"),
        who=who(),
        now=_now(),
    )
    _show_new(key, record, json=json, replaced=old)


def demo_key(settings: Settings) -> str:
    """The key of the demonstration."""
    return _kept_key(settings, "demo", _DEMO_SCOPES, days=_DEMO_DAYS)


def dashboard_key_file(settings: Settings) -> Path:
    """Where the key of the dashboard is kept, which is no administrator."""
    _kept_key(settings, "dashboard", _DASHBOARD_SCOPES, days=_DASHBOARD_DAYS)
    return _key_file(settings, "dashboard")


def _key_file(settings: Settings, name: str) -> Path:
    return settings.data_dir / f"{name}-key"


def _kept_key(settings: Settings, name: str, scopes: Collection[Scope], *, days: int) -> str:
    """A key of the installation's own, in a file for its owner alone; a new one when it has ended."""
    from marketing_platform.access import Principal
    from marketing_platform.access.api_settings import api_secret, write_private
    from marketing_platform.access.issuing import issue
    from marketing_platform.access.keyring import KeyRing
    from marketing_platform.releases.records import open_records

    register = open_records(settings).keys
    path = _key_file(settings, name)
    with suppress(FileNotFoundError):
        ring = KeyRing(register, lambda: api_secret(settings))
        ring.refresh()
        key = path.read_text()
        if isinstance(ring.find(key), Principal):
            return key
        path.unlink()
    key, _ = issue(
        register,
        api_secret(settings),
        name=name,
        owner=who(),
        scopes=scopes,
        lifetime=timedelta(days=days),
        who=who(),
        now=_now(),
    )
    write_private(path, key.encode())
    return key


def say_how_to_make_one(settings: Settings) -> None:
    """A hint when no key may call; nothing when the records do not answer, which others will tell."""
    from marketing_platform.releases.records import open_records

    now = _now()
    with suppress(StoreUnavailable):
        if all(record.state(now) in {"revoked", "expired"} for record in open_records(settings).keys.all()):
            progress_console.print(
                "No key may call the API yet. Make one:"
                f"\n  marketing-platform keys create --name trying --scope {Scope.READ_RECOMMENDATIONS}"
                f" --scope {Scope.READ_ANALYTICS} --data-dir {settings.data_dir}",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )


def _show_new(key: str, record: KeyRecord, *, json: bool, replaced: KeyRecord | None = None) -> None:
    if json:
        more = {"replaces": replaced.key_id, "replaced_ends_at": replaced.revoked_at} if replaced else {}
        emit_json({"key": key, **_as_dict(record, _now()), **more})
        return
    console.print(key, highlight=False, soft_wrap=True)
    said = [
        f"{record.name}, {record.owner}: {', '.join(sorted(record.scopes))};"
        f" ends {_minute(record.expires_at) or 'never'}.",
        "Keep it now: it is not shown again. Send it as Authorization: Bearer, or as X-API-Key.",
    ]
    if replaced is not None:
        said.insert(1, f"{replaced.key_id} ends {_minute(replaced.revoked_at)}.")
    progress_console.print("\n".join(said), highlight=False, soft_wrap=True)


def _as_dict(record: KeyRecord, now: datetime) -> Mapping[str, Any]:
    return {
        "key_id": record.key_id,
        "name": record.name,
        "owner": record.owner,
        "scopes": sorted(record.scopes),
        "state": record.state(now),
        "created_at": record.created_at,
        "created_by": record.created_by,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
        "revoked_by": record.revoked_by,
        "replaced_by": record.replaced_by,
        "last_used_at": record.last_used_at,
    }


def _duration(text: str, option: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter("a number and one of s, m, h, d; for example 24h or 90d", param_hint=option)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _now() -> datetime:
    return datetime.now(UTC)
