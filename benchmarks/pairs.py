"""The same work done twice, by the platform and by the bare client of the server, timed in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """What was measured: the best of the rounds for either side."""

    key: str  # of the ratio among the figures: `<key>_ratio`
    what: str  # what was moved where
    amount: int
    seconds: float
    reference_seconds: float  # of the bare client
    note: str = ""

    @property
    def per_s(self) -> float:
        """Pieces per second."""
        return self.amount / self.seconds

    @property
    def reference_per_s(self) -> float:
        """Pieces per second of the bare client."""
        return self.amount / self.reference_seconds

    @property
    def ratio(self) -> float:
        """Our time over theirs."""
        return self.seconds / self.reference_seconds


def timed_in_turns(
    key: str,
    what: str,
    amount: int,
    *,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    rounds: int,
) -> Figures:
    """Let both sides work `rounds` times, taking turns so that a busy machine slows both.

    Each side returns the seconds that count, and leaves nothing behind.
    """
    taken = [(theirs(), ours()) for _ in range(rounds)]
    return Figures(
        key,
        what,
        amount,
        seconds=min(mine for _, mine in taken),
        reference_seconds=min(bare for bare, _ in taken),
    )
