"""Exposures of experiments as lines of the landing zone: who was shown which arm.

The API gathers them (`serving/experiments/exposing.py`) and appends them to its journal; whoever sends in a
run or from the command line lands them at once (`land_exposures`). That a user is exposed twice does no harm:
the first time counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from marketing_platform.experiments.spec import Surface
from marketing_platform.ingestion.journal import Entry, object_name
from marketing_platform.ingestion.written import Envelope, Record
from marketing_platform.stores.protocols import Objects

_KEY = "exposures"


class Exposure(NamedTuple):
    """A user was shown an arm."""

    experiment: str
    variant: str
    user_id: str
    at: datetime
    surface: Surface
    about: str  # the list that was asked for, or the template
    release_id: str


def exposures_entry(exposures: Sequence[Exposure], *, by: str) -> Entry:
    """One write of all of them."""
    envelope = _envelope(by)
    return Entry(envelope, _KEY, envelope.lines(_records(exposures)))


def land_exposures(objects: Objects, exposures: Sequence[Exposure], *, by: str) -> None:
    """Land exposures as one object: durable when this returns; nothing lands when there are none.

    Args:
        objects: The landing zone.
        exposures: As they were shown.
        by: Who showed them, for whoever reads the landed object.

    Raises:
        StoreUnavailable: The landing zone does not answer.
        StoreFull: There is no space left.
    """
    if exposures:
        envelope = _envelope(by)
        objects.create(object_name("exposures", envelope.number), envelope.lines(_records(exposures)))


def _envelope(by: str) -> Envelope:
    return Envelope(secrets.token_hex(12), "exposures", datetime.now(UTC), by)


def _records(exposures: Iterable[Exposure]) -> list[Record]:
    return [(f"exposures.{place}", {"exposures": _row(one)}) for place, one in enumerate(exposures)]


def _row(one: Exposure) -> dict[str, str]:
    return {
        "experiment": one.experiment,
        "variant": one.variant,
        "user_id": one.user_id,
        "timestamp": one.at.astimezone(UTC).isoformat(),
        "surface": one.surface,
        "about": one.about,
        "release_id": one.release_id,
    }
