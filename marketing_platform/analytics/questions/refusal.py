"""Refusals: a question that is not answered, why, and what could be asked instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Declined:
    """No answer; `reason` is for the person who asked."""

    reason: str
    suggestions: tuple[str, ...] = ()


class NotUnderstood(Exception):  # noqa: N818 -- named after what happened
    """Inside this package: the question ends here. `ask` and `parse` make a `Declined` of it."""

    def __init__(self, reason: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.declined = Declined(reason, suggestions)
