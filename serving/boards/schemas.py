"""What `/api/v1/users/…/vision-board` answers as JSON."""

from __future__ import annotations

from typing import Any

from marketing_platform.content.board.document import Board
from serving.responses import Answer, head_example


class VisionBoard(Answer, Board):
    """A board, and where everything on it stands; the pictures are drawn from it."""


def example() -> dict[str, Any]:
    """A board as OpenAPI shows it: one tile of it."""
    return {**head_example(), **_BOARD}


def _box(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}


def _line(role: str, text: str, face: str, y: float, size: float) -> dict[str, Any]:
    run = {"text": text, "face": face, "x": 60.0, "width": 180.5, "rtl": False}
    colours = {"fill": "#1d2127", "behind": "#ffffff"}
    return {"role": role, "y": y, "size": size, **colours, "runs": [run], "shortened": False}


_TILE: dict[str, Any] = {
    "section": "product",
    "item": "HIK-1001",
    "title": "Tunnel Tent",
    "subtitle": "Camping",
    "why": "Goes with your Down Sleeping Bag.",
    "left_out": ["why"],
    "box": _box(44, 200, 880, 656),
    "radius": 16,
    "fill": "#ffffff",
    "picture": {
        "box": _box(44, 200, 880, 560),
        "background": "#dbe7e4",
        "shapes": [{"kind": "circle", "x": 300.5, "y": 320.0, "radius": 90.0, "fill": "#e4572e"}],
        "image": None,
    },
    "bar": None,
    "lines": [
        _line("title", "Tunnel Tent", "strong", 805.5, 28.0),
        _line("subtitle", "Camping", "regular", 838.0, 18.0),
    ],
}
_BOARD: dict[str, Any] = {
    "user_id": "u-0001",
    "theme": "light",
    "aspect": "16:9",
    "title": "A board for Anna Müller",
    "width": 1600,
    "height": 900,
    "background": "#f4f1ea",
    "lines": [_line("name", "A board for Anna Müller", "display", 99.0, 54.0)],
    "sections": [
        {
            "section": "product",
            "heading": "Picked for you",
            "box": _box(44, 166, 880, 690),
            "lines": [_line("heading", "Picked for you", "strong", 186.5, 20.0)],
            "tiles": [_TILE],
            "hidden": 0,
        }
    ],
    "notes": ["product: 1 text did not fit at a readable size and is left out."],
}
