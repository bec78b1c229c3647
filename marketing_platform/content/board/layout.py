"""Where everything on a board stands: from content and design to the document that pictures are drawn from.

Which boxes there are is decided in `areas.py` and `rows.py`, how texts fill them in `texts.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marketing_platform.content.board.areas import GAP, HEADING, areas, header, tiles_of
from marketing_platform.content.board.artwork import artwork
from marketing_platform.content.board.colours import between
from marketing_platform.content.board.composing import Content, Item
from marketing_platform.content.board.document import (
    Bar,
    Board,
    Box,
    Line,
    Picture,
    Section,
    SectionName,
    Tile,
)
from marketing_platform.content.board.rows import justified
from marketing_platform.content.board.spec import SECTIONS, Aspect, Design, Role, Theme
from marketing_platform.content.board.texts import Block, Text, fitted
from marketing_platform.content.board.typography import REPLACEMENT, Fonts

# On a canvas of scale 1.
_RADIUS = 16
_PADDING = 16
_BAR = 8
# Width by height that tiles would like to have.
_RATIOS: dict[SectionName, float] = {"product": 1.12, "interest": 1.5, "inspiration": 1.9}
_WIDE = 1.55  # tiles that are wider have their picture beside the text
_TEXT_SHARE = 0.62  # of a tile, at most, for its text
_BESIDE = 0.42  # of a wide tile, for its picture
_NAMED_LETTERS = 8  # letters that notes name, of those that no font has


def laid_out(content: Content, design: Design, theme: Theme, aspect: Aspect, fonts: Fonts) -> Board:
    """The board of a person in a theme and an aspect; the same for the same arguments."""
    on = _Layout(design, theme, aspect, fonts)
    present: list[SectionName] = [section for section in SECTIONS if content.items.get(section)]
    rooms = areas(aspect, present)
    sections = tuple(on.section(section, content.items[section], rooms[section]) for section in present)
    top = header(aspect)
    texts = [
        on.text("name", content.title, theme.text),
        on.text("tagline", content.tagline, theme.muted),
    ]
    return Board(
        user_id=content.user_id,
        theme=theme.name,
        aspect=aspect.name,
        title=content.title,
        width=aspect.width,
        height=aspect.height,
        background=theme.background,
        lines=on.lines(texts, top, theme.background),
        sections=sections,
        notes=tuple(_notes(content, sections, fonts)),
    )


@dataclass(frozen=True)
class _Frame:
    """The parts of a tile: a picture above the text, or beside it in a tile that is wide."""

    box: Box
    wide: bool
    padding: int
    room: Box  # for text, at most
    bar: Box | None

    @classmethod
    def of(cls, item: Item, box: Box, aspect: Aspect) -> _Frame:
        padding, bar = aspect.scaled(_PADDING), aspect.scaled(_BAR)
        wide = box.width > _WIDE * box.height
        if wide:
            left = box.x + round(box.width * _BESIDE)
            outer = Box(x=left, y=box.y, width=box.right - left, height=box.height)
        else:
            height = round(box.height * _TEXT_SHARE)
            outer = Box(x=box.x, y=box.bottom - height, width=box.width, height=height)
        inner = outer.inside(padding)
        if item.strength is None:
            return cls(box, wide, padding, inner, None)
        room = Box(x=inner.x, y=inner.y, width=inner.width, height=max(0, inner.height - bar - padding))
        return cls(
            box, wide, padding, room, Box(x=inner.x, y=inner.bottom - bar, width=inner.width, height=bar)
        )

    def panel(self, text_height: int) -> Box:
        """Where the text stands: what a picture above need not leave it is the picture's."""
        if self.wide:
            return self.room
        return Box(x=self.room.x, y=self.room.bottom - text_height, width=self.room.width, height=text_height)

    def picture(self, panel: Box) -> Box:
        """What is left of the tile."""
        if self.wide:
            width = panel.x - self.padding - self.box.x
            return Box(x=self.box.x, y=self.box.y, width=width, height=self.box.height)
        height = panel.y - self.padding - self.box.y
        return Box(x=self.box.x, y=self.box.y, width=self.box.width, height=height)


@dataclass(frozen=True)
class _Layout:
    design: Design
    theme: Theme
    aspect: Aspect
    fonts: Fonts

    def text(self, role: Role, text: str, fill: str) -> Text:
        return Text(role, self.fonts.shown(text), self.design.texts[role], fill)

    def lines(
        self, texts: Sequence[Text], box: Box, behind: str, *, centred: bool = False
    ) -> tuple[Line, ...]:
        block = fitted(self.fonts, texts, box, self.aspect.scale)
        return block.placed(self.fonts, box, behind, centred=centred) if block else ()

    def section(self, name: SectionName, items: Sequence[Item], box: Box) -> Section:
        room = tiles_of(box, self.aspect)
        boxes = self._boxes(name, min(len(items), self._most(name)), room)
        heading = self.design.words.headings[name]
        above = Box(x=box.x, y=box.y, width=box.width, height=self.aspect.scaled(HEADING))
        return Section(
            section=name,
            heading=heading,
            box=box,
            lines=self.lines([self.text("heading", heading, self.theme.text)], above, self.theme.background),
            tiles=self._tiles(items, boxes),
            hidden=len(items) - len(boxes),
        )

    def _most(self, name: SectionName) -> int:
        return next(
            share.most for column in self.aspect.columns for share in column.sections if share.section == name
        )

    def _boxes(self, name: SectionName, number: int, room: Box) -> list[Box]:
        """As many boxes as there is room for without one that is too small."""
        width, height = (
            self.aspect.scaled(side) for side in (self.design.tile.width, self.design.tile.height)
        )
        for kept in range(number, 1, -1):
            boxes = justified([_RATIOS[name]] * kept, room, self.aspect.scaled(GAP))
            if all(box.width >= width and box.height >= height for box in boxes):
                return boxes
        return [room]

    def _tiles(self, items: Sequence[Item], boxes: Sequence[Box]) -> tuple[Tile, ...]:
        """Tiles beside each other look alike: their letters are as large, and their pictures too."""
        shown = [
            (item, self._texts(item), _Frame.of(item, box, self.aspect))
            for item, box in zip(items, boxes, strict=False)
        ]
        blocks = [self._fitted(texts, frame, 1.0) for _, texts, frame in shown]
        step = min((block.step for block in blocks if not block.left_out), default=1.0)
        blocks = [self._fitted(texts, frame, step) for _, texts, frame in shown]
        highest = max(block.height for block in blocks)
        return tuple(
            self._tile(item, frame, block, min(highest, frame.room.height))
            for (item, _, frame), block in zip(shown, blocks, strict=True)
        )

    def _fitted(self, texts: Sequence[Text], frame: _Frame, largest: float) -> Block:
        found = fitted(self.fonts, texts, frame.room, self.aspect.scale, largest=largest)
        return found or Block((), tuple(text.role for text in texts), largest)

    def _tile(self, item: Item, frame: _Frame, block: Block, text_height: int) -> Tile:
        fill = self.theme.accent if item.section == "inspiration" else self.theme.surface
        panel = frame.panel(text_height)
        return Tile(
            section=item.section,
            item=item.item,
            title=item.title,
            subtitle=item.subtitle,
            why=item.why,
            left_out=tuple(role for role in block.left_out if role in ("subtitle", "why")),
            box=frame.box,
            radius=self.aspect.scaled(_RADIUS),
            fill=fill,
            picture=self._picture(item, frame.picture(panel)),
            bar=self._bar(item.strength, frame.bar),
            lines=block.placed(self.fonts, panel, fill, centred=frame.wide),
        )

    def _bar(self, share: float | None, box: Box | None) -> Bar | None:
        if share is None or box is None:
            return None
        track = between(self.theme.surface, self.theme.muted, 0.22)
        return Bar(box=box, share=round(share, 3), fill=self.theme.accent, track=track)

    def _texts(self, item: Item) -> list[Text]:
        """The title, then what may be left out, the least important last."""
        if item.section == "inspiration":
            first = self.text("idea", item.title, self.theme.on_accent)
            return [first, *([self.text("why", item.why, self.theme.on_accent)] if item.why else [])]
        texts = [self.text("title", item.title, self.theme.text)]
        if item.subtitle:
            texts.append(self.text("subtitle", item.subtitle, self.theme.muted))
        if item.why:
            texts.append(self.text("why", item.why, self.theme.text))
        return texts

    def _picture(self, item: Item, box: Box) -> Picture:
        found = artwork(f"{item.section}/{item.item}", item.category, self.theme, box)
        shapes = () if item.image else found.shapes
        return Picture(box=box, background=found.background, shapes=shapes, image=item.image)


def _notes(content: Content, sections: Sequence[Section], fonts: Fonts) -> Iterator[str]:
    yield from content.notes
    written = [content.title, content.tagline]
    for section in sections:
        for tile in section.tiles:
            written += [text for text in (tile.title, tile.subtitle, tile.why) if text]
        left_out = sum(len(tile.left_out) for tile in section.tiles)
        if left_out:
            yield f"{section.section}: {left_out} texts did not fit at a readable size and are left out."
    missing = fonts.missing("".join(written))
    if missing:
        named = ", ".join(f"U+{ord(letter):04X}" for letter in missing[:_NAMED_LETTERS])
        more = f" and {len(missing) - _NAMED_LETTERS} more" if len(missing) > _NAMED_LETTERS else ""
        yield f"Shown as {REPLACEMENT}, since the board's fonts lack them: {named}{more}."
    lines = [line for section in sections for tile in section.tiles for line in tile.lines]
    if not fonts.shapes and any(run.rtl for line in lines for run in line.runs):
        yield "Right-to-left text comes letter by letter: this machine's Pillow lacks Raqm or FriBiDi."
