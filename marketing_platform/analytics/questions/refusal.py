"""Refusals: a question that is not answered, why, and what could be asked instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Declined:
    """No answer; `reason` is for the person who asked."""

    reason: str
    suggestions: tuple[str, ...] = ()
    lacks_data: bool = False  # understood, but the release has nothing of that kind


class NotUnderstood(Exception):
    """Inside this package: the question ends here. `ask` and `parse` make a `Declined` of it."""

    def __init__(self, reason: str, suggestions: tuple[str, ...] = (), *, lacks_data: bool = False) -> None:
        super().__init__(reason)
        self.declined = Declined(reason, suggestions, lacks_data)
