"""Colours: how well one is seen on another, and what lies between two."""

from __future__ import annotations

CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3 (AA), for text of any size
# Of the linear light of red, green and blue: WCAG 2.2, "relative luminance".
_WEIGHTS = (0.2126, 0.7152, 0.0722)
_DARK = 0.04045


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 (none) to 21: WCAG 2.2, "contrast ratio"."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def between(one: str, other: str, share: float) -> str:
    """The colour that has `share` (0 to 1) of the other."""
    pairs = zip(channels(one), channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    return sum(
        weight * _linear(channel / 255) for weight, channel in zip(_WEIGHTS, channels(colour), strict=True)
    )


def _linear(value: float) -> float:
    return value / 12.92 if value <= _DARK else ((value + 0.055) / 1.055) ** 2.4
