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
from marketing_platform.content.board.texts import Text, fitted
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
    present = [section for section in SECTIONS if content.items.get(section)]
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
class _Layout:
    design: Design
    theme: Theme
    aspect: Aspect
    fonts: Fonts

    def text(self, role: Role, text: str, fill: str) -> Text:
        return Text(role, self.fonts.shown(text), self.design.texts[role], fill)

    def lines(self, texts: Sequence[Text], box: Box, behind: str, *, centred: bool = False) -> tuple[Line, ...]:
        block = fitted(self.fonts, texts, box, self.aspect.scale)
        return block.placed(self.fonts, box, behind, centred=centred) if block else ()

    def section(self, name: SectionName, items: Sequence[Item], box: Box) -> Section:
        room = tiles_of(box, self.aspect)
        shown = items[: self._most(name)]
        boxes = self._boxes(name, len(shown), room)
        words = self.text("heading", self.design.words.headings[name], self.theme.text)
        above = Box(x=box.x, y=box.y, width=box.width, height=self.aspect.scaled(HEADING))
        tiles = (self.tile(item, one) for item, one in zip(shown, boxes, strict=False))
        return Section(
            section=name,
            heading=self.design.words.headings[name],
            box=box,
            lines=self.lines([words], above, self.theme.background),
            tiles=tuple(tiles),
            hidden=len(items) - len(boxes),
        )

    def _most(self, name: SectionName) -> int:
        return next(
            share.most for column in self.aspect.columns for share in column.sections if share.section == name
        )

    def _boxes(self, name: SectionName, number: int, room: Box) -> list[Box]:
        """As many boxes as there is room for without one that is too small."""
        width, height = (self.aspect.scaled(side) for side in (self.design.tile.width, self.design.tile.height))
        for kept in range(number, 1, -1):
            boxes = justified([_RATIOS[name]] * kept, room, self.aspect.scaled(GAP))
            if all(box.width >= width and box.height >= height for box in boxes):
                return boxes
        return [room]

    def tile(self, item: Item, box: Box) -> Tile:
        idea = item.section == "inspiration"
        fill = self.theme.accent if idea else self.theme.surface
        padding = self.aspect.scaled(_PADDING)
        wide = box.width > _WIDE * box.height
        room = _text_room(box, wide, padding)
        bar_height = self.aspect.scaled(_BAR)
        if item.strength is not None:
            room = room.model_copy(update={"height": max(0, room.height - bar_height - padding // 2)})
        block = fitted(self.fonts, self._texts(item), room, self.aspect.scale)
        # A picture above takes what the text leaves; one beside has its share of the width.
        text_height = block.height if block else 0
        below = text_height + (bar_height + padding // 2 if item.strength is not None else 0)
        panel = room if wide else Box(x=room.x, y=box.bottom - padding - below, width=room.width, height=text_height)
        bar_y = box.bottom - padding - bar_height
        return Tile(
            section=item.section,
            item=item.item,
            title=item.title,
            subtitle=item.subtitle,
            why=item.why,
            left_out=tuple(role for role in (block.left_out if block else ()) if role in ("subtitle", "why")),
            box=box,
            radius=self.aspect.scaled(_RADIUS),
            fill=fill,
            picture=self._picture(item, _picture_box(box, panel, wide, padding)),
            bar=None
            if item.strength is None
            else Bar(
                box=Box(x=room.x, y=bar_y, width=room.width, height=bar_height),
                share=round(item.strength, 3),
                fill=self.theme.accent,
                track=between(self.theme.surface, self.theme.muted, 0.22),
            ),
            lines=block.placed(self.fonts, panel, fill, centred=wide) if block else (),
        )

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


def _text_room(box: Box, wide: bool, padding: int) -> Box:
    """Where text may stand at most."""
    if wide:
        left = box.x + round(box.width * _BESIDE)
        return Box(x=left, y=box.y, width=box.right - left, height=box.height).inside(padding)
    height = round(box.height * _TEXT_SHARE)
    return Box(x=box.x, y=box.bottom - height, width=box.width, height=height).inside(padding)


def _picture_box(box: Box, panel: Box, wide: bool, padding: int) -> Box:
    if wide:
        return Box(x=box.x, y=box.y, width=panel.x - padding - box.x, height=box.height)
    return Box(x=box.x, y=box.y, width=box.width, height=panel.y - padding - box.y)


def _notes(content: Content, sections: Sequence[Section], fonts: Fonts) -> Iterator[str]:
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
