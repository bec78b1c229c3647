"""Where on a canvas the sections stand."""

from __future__ import annotations

from collections.abc import Collection

from marketing_platform.content.board.document import Box, SectionName
from marketing_platform.content.board.rows import shared
from marketing_platform.content.board.spec import Aspect

# On a canvas of scale 1.
MARGIN = 44
GAP = 18
HEADER = 128  # title and tagline
HEADING = 34  # of a section


def header(aspect: Aspect) -> Box:
    """The room for title and tagline."""
    margin = aspect.scaled(MARGIN)
    return Box(x=margin, y=margin, width=aspect.width - 2 * margin, height=aspect.scaled(HEADER))


def areas(aspect: Aspect, present: Collection[SectionName]) -> dict[SectionName, Box]:
    """The room of each section that is present, heading included; others have that of those that are not."""
    top = header(aspect)
    body = Box(
        x=top.x, y=top.bottom, width=top.width, height=aspect.height - top.bottom - aspect.scaled(MARGIN)
    )
    kept = [
        (column.share, [share for share in column.sections if share.section in present])
        for column in aspect.columns
    ]
    kept = [(share, sections) for share, sections in kept if sections]
    gap = aspect.scaled(GAP)
    found: dict[SectionName, Box] = {}
    for (x, width), (_, sections) in zip(
        shared(body.x, body.width, [share for share, _ in kept], 2 * gap), kept, strict=True
    ):
        heights = shared(body.y, body.height, [one.weight for one in sections], gap)
        for (y, height), one in zip(heights, sections, strict=True):
            found[one.section] = Box(x=x, y=y, width=width, height=height)
    return found


def tiles_of(section: Box, aspect: Aspect) -> Box:
    """The room for the tiles of a section, below its heading."""
    heading = aspect.scaled(HEADING)
    return Box(
        x=section.x, y=section.y + heading, width=section.width, height=max(0, section.height - heading)
    )
