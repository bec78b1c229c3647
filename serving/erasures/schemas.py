"""What is told about an erasure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from marketing_platform.releases.erasures import Erasure, Place
from serving.responses import Part


class ErasedFrom(Part):
    """A place where something of the user was."""

    place: str = Field(description="Which kind of store.", examples=["warehouse"])
    name: str = Field(description="Which part of it.", examples=["events__3f9ac21b0d11_1"])
    records: int = Field(description="How many rows or records of the user it held.", examples=[12])
    gone_at: datetime = Field(description="When they went, UTC.")


class ErasureAnswer(Part):
    """How far an erasure is, and where the user was."""

    erasure_id: str = Field(description="To ask for the proof.", examples=["e-3f9ac21b0d114e7a"])
    status: Literal["masked", "rows gone", "done"] = Field(
        description="masked: no answer shows the user. rows gone: the next release is made without."
        " done: no release is kept that was made with."
    )
    who: str = Field(description="Who asked for it.", examples=["key-7"])
    asked_at: datetime = Field(description="When, UTC.")
    due_by: datetime = Field(description="When it is done at the latest.")
    rows_gone_at: datetime | None = Field(description="Null until then.")
    done_at: datetime | None = Field(description="Null until then.")
    erased_from: tuple[ErasedFrom, ...] = Field(description="Where the user was, in order of time.")


def shown(erasure: Erasure, places: Sequence[Place], *, days: int) -> ErasureAnswer:
    """An erasure as it is answered; it never names the user."""
    return ErasureAnswer(
        erasure_id=erasure.erasure_id,
        status="done" if erasure.done_at else "rows gone" if erasure.rows_gone_at else "masked",
        who=erasure.who,
        asked_at=erasure.asked_at,
        due_by=erasure.asked_at + timedelta(days=days),
        rows_gone_at=erasure.rows_gone_at,
        done_at=erasure.done_at,
        erased_from=tuple(
            ErasedFrom(place=one.place, name=one.name, records=one.records, gone_at=one.gone_at)
            for one in places
        ),
    )


def example(*, rows_gone: bool = False) -> dict[str, Any]:
    """An erasure that was just asked for, or one whose rows are gone."""
    at = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)
    gone = at + timedelta(minutes=5) if rows_gone else None
    places = [Place("warehouse", "events__3f9ac21b0d11_1", 12, gone)] if gone else []
    erasure = Erasure("e-3f9ac21b0d114e7a", "u-0001", "key-7", at, gone)
    return shown(erasure, places, days=30).model_dump(mode="json")
