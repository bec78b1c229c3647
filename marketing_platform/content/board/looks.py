"""Which of its looks of a board somebody wants: format, theme and aspect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Format = Literal["json", "png", "svg", "page"]
MEDIA: Mapping[Format, str] = {
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "page": "text/html; charset=utf-8",
}
# What browsers let an answer do: show what is in it.
CSP: Mapping[Format, str] = {
    "svg": "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; sandbox",
    "page": "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox allow-downloads",
}


@dataclass(frozen=True)
class Look:
    """One look; theme and aspect are names of the design."""

    format: Format
    theme: str
    aspect: str
