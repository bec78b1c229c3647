"""What a board is: where every box, shape and line of text stands. All pictures are drawn from this alone.

Lengths are pixels of the canvas, from its left and upper edge; colours are `#rrggbb`. How a board comes about
is in `composing.py` (what is on it) and `layout.py` (where); what it looks like in `png.py` and `svg.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SectionName = Literal["product", "interest", "inspiration"]
# By its role a text has its sizes; by its face a run has its letters.
Face = Literal["regular", "strong", "display", "arabic", "hebrew"]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(_Part):
    """A rectangle."""

    x: int = Field(description="Left edge.")
    y: int = Field(description="Upper edge.")
    width: int = Field(ge=0, description="To the right.")
    height: int = Field(ge=0, description="Downwards.")

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def within(self, other: Box) -> bool:
        """Whether nothing of it is outside of the other."""
        return (
            self.x >= other.x
            and self.y >= other.y
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    def meets(self, other: Box) -> bool:
        """Whether both have a pixel in common."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )

    def inside(self, margin: int) -> Box:
        """What is left without a margin on each side."""
        return Box(
            x=self.x + margin,
            y=self.y + margin,
            width=max(0, self.width - 2 * margin),
            height=max(0, self.height - 2 * margin),
        )


class Circle(_Part):
    """A filled circle."""

    kind: Literal["circle"] = "circle"
    x: float = Field(description="Centre.")
    y: float = Field(description="Centre.")
    radius: float = Field(ge=0, description="Radius.")
    fill: Colour


class Polygon(_Part):
    """A filled polygon."""

    kind: Literal["polygon"] = "polygon"
    points: tuple[tuple[float, float], ...] = Field(description="Corners, x and y.")
    fill: Colour


Shape = Annotated[Circle | Polygon, Field(discriminator="kind")]


class Picture(_Part):
    """What is seen in a tile: an image, or artwork generated where there is none."""

    box: Box
    background: Colour
    shapes: tuple[Shape, ...] = Field(description="Of the artwork, cut off at the box; none with an image.")
    image: str | None = Field(
        description="SHA-256 of the image, which covers the box; null for artwork.", examples=[None]
    )


class Run(_Part):
    """A part of a line in one face."""

    text: str
    face: Face
    x: float = Field(description="Left end.")
    width: float = Field(ge=0, description="As measured with the face itself.")
    rtl: bool = Field(description="Whether it is read from right to left.")


class Line(_Part):
    """A line of text."""

    role: str = Field(description="What it is: title, subtitle, why, heading …", examples=["title"])
    y: float = Field(description="Its base line.")
    size: float = Field(gt=0, description="Size of the letters.")
    fill: Colour
    behind: Colour = Field(description="The colour it stands on.")
    runs: tuple[Run, ...]
    shortened: bool = Field(
        description="Whether an ellipsis stands for its end; the item has the whole text."
    )


class Bar(_Part):
    """A share, as a bar."""

    box: Box
    share: float = Field(ge=0, le=1, description="What of it is filled.")
    fill: Colour
    track: Colour = Field(description="The colour of the rest.")


class Tile(_Part):
    """One item, and where everything of it stands."""

    section: SectionName
    item: str = Field(description="Identifier of the product, name of the interest or title of the idea.")
    title: str
    subtitle: str | None
    why: str | None = Field(description="Why it is on the board.")
    left_out: tuple[str, ...] = Field(description="Texts for which there was no room: subtitle, why.")
    box: Box
    radius: int = Field(ge=0, description="Of its corners, which cut off what is in it.")
    fill: Colour
    picture: Picture
    bar: Bar | None
    lines: tuple[Line, ...]


class Section(_Part):
    """Items of one kind."""

    section: SectionName
    heading: str
    box: Box = Field(description="Heading and tiles together.")
    lines: tuple[Line, ...] = Field(description="The heading.")
    tiles: tuple[Tile, ...]
    hidden: int = Field(ge=0, description="Items for which there was no room.")


class Board(_Part):
    """A board of one user in one theme and aspect."""

    user_id: str
    theme: str = Field(examples=["light"])
    aspect: str = Field(examples=["16:9"])
    title: str
    width: int = Field(gt=0, description="Of the canvas.")
    height: int = Field(gt=0, description="Of the canvas.")
    background: Colour
    lines: tuple[Line, ...] = Field(description="Title and subtitle of the board.")
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = Field(description="What is not as one would expect, in words.")

    @property
    def canvas(self) -> Box:
        return Box(x=0, y=0, width=self.width, height=self.height)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Of all sections."""
        return tuple(tile for section in self.sections for tile in section.tiles)
