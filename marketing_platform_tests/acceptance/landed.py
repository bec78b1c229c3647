"""Small files as others would land them, in layouts that the project's own sources declare."""

from __future__ import annotations

HEADER = "event_id,user_id,message,timestamp,campaign,event_type,channel\n"
_TEXTS = (
    "Where is my parcel",
    "My card does not work",
    "How do I return shoes",
    "When do you open",
    "Thank you",
)


def conversation(name: str, *, rows: int = 100) -> list[str]:
    """Lines without header of `events.csv` (see sources/conversations.yaml); ids begin with `name`."""
    return [
        f"{name}-{n},user-{n % 12},{_TEXTS[n % 5]} {n % 40}?,2026-03-{1 + n % 28:02d}T10:00:00+00:00,"
        f"campaign-{n % 4},message,email\n"
        if n % 2
        else f"{name}-{n},user-{n % 12},,2026-03-{1 + n % 28:02d}T11:00:00+00:00,campaign-{n % 5},click,app\n"
        for n in range(rows)
    ]


def csv(lines: list[str]) -> str:
    """The lines as a whole file."""
    return HEADER + "".join(lines)
