"""A board as SVG, drawn from the document alone: real text, with the letters it needs inside the file.

Every run of letters is told how long it is, so that it fits in whatever font a viewer takes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BytesIO
from xml.sax.saxutils import escape, quoteattr

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from marketing_platform.content.board.document import Bar, Board, Circle, Face, Line, Picture, Tile
from marketing_platform.content.board.png import ImageBytes
from marketing_platform.content.board.typography import FILES, FOLDER, REPLACEMENT, Fonts

# What nearly every board needs of a European face: cut out once, it serves them all.
_USUAL = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x100)))) | frozenset(f"–—‘’“”…·€{REPLACEMENT}")
_JOINED: frozenset[Face] = frozenset({"arabic", "hebrew"})  # their letters change with their neighbours
_STYLE = (
    "text{font-kerning:none;font-variant-ligatures:none;white-space:pre}"
    ".arabic,.hebrew{font-kerning:auto;font-variant-ligatures:normal}"
)


def to_svg(board: Board, fonts: Fonts, image_bytes: ImageBytes) -> bytes:
    """The board as a file of its own; the same bytes for the same board."""
    drawn = svg_element(board, image_bytes, style=svg_style([board], fonts))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn}\n'.encode()


def svg_element(board: Board, image_bytes: ImageBytes, *, style: str = "", prefix: str = "t") -> str:
    """The board as an element, also of a page; `prefix` begins its ids, `style` is what `svg_style` gives."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {board.width} {board.height}"'
        f' width="{board.width}" height="{board.height}" role="img" aria-label={quoteattr(board.title)}>',
        f"<title>{escape(board.title)}</title>",
        *([f"<style>{style}</style>"] if style else []),
        f'<rect width="{board.width}" height="{board.height}" fill="{board.background}"/>',
        *(_text(line) for line in board.lines),
    ]
    number = 0
    for section in board.sections:
        parts += [_text(line) for line in section.lines]
        for tile in section.tiles:
            parts += _tile(tile, f"{prefix}{number}", image_bytes)
            number += 1
    return "".join([*parts, "</svg>"])


def svg_style(boards: Iterable[Board], fonts: Fonts) -> str:
    """The letters of these boards, and how they are set: CSS."""
    letters: dict[Face, set[str]] = {}
    for board in boards:
        lines = [*board.lines, *(line for section in board.sections for line in section.lines)]
        for line in (*lines, *(line for tile in board.tiles for line in tile.lines)):
            for run in line.runs:
                letters.setdefault(run.face, set()).update(run.text)
    faces = "".join(
        f"@font-face{{font-family:board-{face};src:url(data:font/woff;base64,{_cut(face, wanted, fonts)})}}"
        f".{face}{{font-family:board-{face},sans-serif}}"
        for face, wanted in sorted(letters.items())
    )
    return faces + _STYLE


def _tile(tile: Tile, name: str, image_bytes: ImageBytes) -> Iterator[str]:
    box = tile.box
    rounded = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{tile.radius}"'
    yield f'<clipPath id="{name}"><rect {rounded}/></clipPath><g clip-path="url(#{name})">'
    yield f'<rect {rounded} fill="{tile.fill}"/>'
    if tile.picture.box.width and tile.picture.box.height:
        yield from _picture(tile.picture, image_bytes)
    if tile.bar is not None:
        yield from _bar(tile.bar)
    yield "</g>"
    yield from map(_text, tile.lines)


def _picture(picture: Picture, image_bytes: ImageBytes) -> Iterator[str]:
    box = picture.box
    placed = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
    if picture.image is not None:
        content = b64encode(image_bytes(picture.image)).decode()
        covering = 'preserveAspectRatio="xMidYMid slice"'
        yield f'<image {placed} {covering} href="data:image/jpeg;base64,{content}"/>'
        return
    # An element within cuts off what reaches out of it.
    yield f'<svg {placed} viewBox="{box.x} {box.y} {box.width} {box.height}">'
    yield f'<rect {placed} fill="{picture.background}"/>'
    for shape in picture.shapes:
        if isinstance(shape, Circle):
            yield f'<circle cx="{shape.x:g}" cy="{shape.y:g}" r="{shape.radius:g}" fill="{shape.fill}"/>'
        else:
            points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
            yield f'<polygon points="{points}" fill="{shape.fill}"/>'
    yield "</svg>"


def _bar(bar: Bar) -> Iterator[str]:
    box = bar.box
    for share, fill in ((1.0, bar.track), (bar.share, bar.fill)):
        width = max(box.height, round(box.width * share)) if share else 0
        if width:
            yield (
                f'<rect x="{box.x}" y="{box.y}" width="{width}" height="{box.height}"'
                f' rx="{box.height // 2}" fill="{fill}"/>'
            )


def _text(line: Line) -> str:
    found: list[str] = []
    for run in line.runs:
        if run.rtl:
            placed = f'x="{run.x + run.width:g}" direction="rtl"'
        else:
            placed = f'x="{run.x:g}" textLength="{run.width:g}" lengthAdjust="spacingAndGlyphs"'
        found.append(
            f'<text class="{run.face}" {placed} y="{line.y:g}" font-size="{line.size:g}" fill="{line.fill}">'
            f"{escape(run.text)}</text>"
        )
    return "".join(found)


def _cut(face: Face, letters: set[str], fonts: Fonts) -> str:
    usual = frozenset() if face in _JOINED else _USUAL
    return _font_with(face, frozenset(letters) | usual, fonts)


@lru_cache(maxsize=64)
def _font_with(face: Face, letters: frozenset[str], fonts: Fonts) -> str:
    """The font with these letters alone, as WOFF in base64."""
    options = Options()
    options.layout_features = ["*"] if face in _JOINED else []
    options.hinting = False
    options.name_IDs = []
    options.notdef_outline = True
    with TTFont(FOLDER / FILES[face], lazy=True, recalcTimestamp=False) as font:
        cutting = Subsetter(options)
        cutting.populate(unicodes=sorted(ord(letter) for letter in letters if fonts.has(letter, face)))
        cutting.subset(font)
        font.flavor = "woff"
        content = BytesIO()
        font.save(content)
    return b64encode(content.getvalue()).decode()
