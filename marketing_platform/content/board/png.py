"""A board as PNG, drawn by Pillow from the document alone.

What has edges that are not straight (artwork, letters, corners, bars) is drawn at twice its size and made
smaller, because Pillow draws shapes without smoothing; the rest is not, which is most of the canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from math import ceil, floor

from PIL import Image, ImageDraw, ImageOps

from marketing_platform.content.board.document import Bar, Board, Circle, Line, Picture, Run, Tile
from marketing_platform.content.board.typography import FINER, LINE, Fonts

# The bytes of an image by its SHA-256.
ImageBytes = Callable[[str], bytes]
_COMPRESSION = 3  # zlib's level: twice as fast as the usual one, and a tenth larger


def to_png(board: Board, fonts: Fonts, image_bytes: ImageBytes) -> bytes:
    """The board as PNG, `width` x `height` pixels; the same bytes for the same board."""
    canvas = Image.new("RGB", (board.width, board.height), board.background)
    for line in (*board.lines, *(line for section in board.sections for line in section.lines)):
        _write(canvas, line, fonts)
    for tile in board.tiles:
        corners = _rounded(tile.box.width, tile.box.height, tile.radius)
        canvas.paste(_drawn(tile, image_bytes), (tile.box.x, tile.box.y), corners)
        for line in tile.lines:
            _write(canvas, line, fonts)
    content = BytesIO()
    canvas.save(content, "PNG", compress_level=_COMPRESSION)
    return content.getvalue()


def _drawn(tile: Tile, image_bytes: ImageBytes) -> Image.Image:
    """A tile without its text; its upper left corner is the origin."""
    box, picture = tile.box, tile.picture
    drawn = Image.new("RGB", (box.width, box.height), tile.fill)
    if picture.box.width and picture.box.height:
        drawn.paste(_seen(picture, image_bytes), (picture.box.x - box.x, picture.box.y - box.y))
    if tile.bar is not None:
        _fill(drawn, tile.bar, tile.bar.box.x - box.x, tile.bar.box.y - box.y)
    return drawn


def _seen(picture: Picture, image_bytes: ImageBytes) -> Image.Image:
    box = picture.box
    if picture.image is not None:
        with Image.open(BytesIO(image_bytes(picture.image)), formats=["JPEG"]) as image:
            return ImageOps.fit(image, (box.width, box.height), Image.Resampling.BILINEAR)
    drawn = Image.new("RGB", (box.width * FINER, box.height * FINER), picture.background)
    pen = ImageDraw.Draw(drawn)
    for shape in picture.shapes:
        if isinstance(shape, Circle):
            x, y, radius = (shape.x - box.x) * FINER, (shape.y - box.y) * FINER, shape.radius * FINER
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), shape.fill)
        else:
            pen.polygon([((x - box.x) * FINER, (y - box.y) * FINER) for x, y in shape.points], shape.fill)
    return drawn.reduce(FINER)


def _fill(drawn: Image.Image, bar: Bar, x: int, y: int) -> None:
    for share, fill in ((1.0, bar.track), (bar.share, bar.fill)):
        width = max(bar.box.height, round(bar.box.width * share)) if share else 0
        if width:
            drawn.paste(fill, (x, y), _rounded(width, bar.box.height, bar.box.height // 2))


def _write(canvas: Image.Image, line: Line, fonts: Fonts) -> None:
    for run in line.runs:
        # Room around the letters, for those that reach out of their line.
        left, top = floor(run.x - line.size), floor(line.y - LINE * line.size)
        size = (ceil(run.width + 2 * line.size), ceil(2 * LINE * line.size))
        letters = _letters(run, fonts, line.size, run.x - left, line.y - top, size)
        canvas.paste(line.fill, (left, top), letters)


def _letters(run: Run, fonts: Fonts, size: float, x: float, y: float, room: tuple[int, int]) -> Image.Image:
    """Where there are letters, in a picture of that size, with the base line's beginning at x and y."""
    mask = Image.new("L", (room[0] * FINER, room[1] * FINER), 0)
    pen = ImageDraw.Draw(mask)
    font, direction = fonts.at(run.face, size, run.rtl), fonts.direction(run.rtl)
    pen.text((x * FINER, y * FINER), run.text, 255, font, anchor="ls", direction=direction)
    return mask.reduce(FINER)


@lru_cache(maxsize=256)
def _rounded(width: int, height: int, radius: int) -> Image.Image:
    """A mask of that size without its corners."""
    mask = Image.new("L", (width * FINER, height * FINER), 0)
    corner = (width * FINER - 1, height * FINER - 1)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, *corner), radius * FINER, 255)
    return mask.reduce(FINER)
