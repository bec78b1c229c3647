"""Writes docs/images/boards.png: boards of ten sample users, and the page of one in a browser.

`python -m scripts.boards`, or with the folder of an installation that has a release. Needs Chromium or
Chrome; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from marketing_platform.cli.boards import board
from marketing_platform.cli.run import run_pipeline
from marketing_platform.sample import write_sample
from marketing_platform.settings import PROJECT_DIR, Settings
from scripts.screenshots import IMAGES, browser_path

# The users of the sheet, each in a theme and an aspect, row by row.
_BOARDS: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("u-000139", "light", "16:9"), ("u-000002", "dark", "16:9"), ("u-000001", "meadow", "16:9")),
    (
        ("u-000018", "dusk", "9:16"),
        ("u-000020", "light", "4:5"),
        ("u-000005", "paper", "4:5"),
        ("u-000007", "dark", "1:1"),
    ),
    (("u-000009", "paper", "16:9"), ("u-000011", "dusk", "16:9"), ("u-000012", "light", "16:9")),
)
# The page: width of the window, how high the picture of it, dark or light.
_WINDOWS = ((1280, 900, "light"), (1280, 900, "dark"), (390, 844, "light"), (390, 844, "dark"))
_WIDTH, _GAP, _COLOURS = 2000, 24, 112
_LONGEST = 400_000  # bytes


def main() -> None:
    """Draw the boards, look at the page, and put all on one sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", nargs="?", type=Path)
    given = parser.parse_args().data_dir
    with tempfile.TemporaryDirectory(prefix="boards-") as folder:
        data_dir = given or _filled(Path(folder, "data"))
        rows = [list(_drawn(row, data_dir, Path(folder))) for row in _BOARDS]
        page = Path(folder, "board.html")
        board("u-000139", page, "light", "16:9", data_dir=data_dir)
        sheet = _sheet([*rows, list(_seen(page, Path(folder)))])
    target = IMAGES / "boards.png"
    sheet.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
    size = target.stat().st_size
    print(f"{target.relative_to(PROJECT_DIR)} {size:,} bytes")
    if size > _LONGEST:
        sys.exit(f"{target.name} is larger than {_LONGEST:,} bytes; make it smaller")


def _filled(data_dir: Path) -> Path:
    settings = Settings(data_dir=data_dir)  # pyright: ignore[reportCallIssue]
    write_sample(settings.landing_dir)
    run_pipeline(settings, quiet=True)
    return data_dir


def _drawn(row: Sequence[tuple[str, str, str]], data_dir: Path, folder: Path) -> Iterator[Image.Image]:
    for user, theme, aspect in row:
        path = folder / f"{user}.png"
        board(user, path, theme, aspect, data_dir=data_dir)
        yield Image.open(path).convert("RGB")


def _seen(page_path: Path, folder: Path) -> Iterator[Image.Image]:
    """The page as windows of these sizes show it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-background-networking"]
        )
        for number, (width, height, scheme) in enumerate(_WINDOWS):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_path.as_uri())
            page.wait_for_timeout(300)
            path = folder / f"window-{number}.png"
            page.screenshot(path=path)
            yield Image.open(path).convert("RGB")
        browser.close()


def _sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Rows of pictures, each row as wide as the sheet."""
    scaled = [_in_row(row) for row in rows]
    height = sum(row[0].height + _GAP for row in scaled) + _GAP
    sheet = Image.new("RGB", (_WIDTH, height), "#8b8f96")
    y = _GAP
    for row in scaled:
        x = _GAP
        for picture in row:
            sheet.paste(picture, (x, y))
            x += picture.width + _GAP
        y += row[0].height + _GAP
    return sheet


def _in_row(row: Sequence[Image.Image]) -> list[Image.Image]:
    room = _WIDTH - _GAP * (len(row) + 1)
    height = round(room / sum(picture.width / picture.height for picture in row))
    return [
        picture.resize((int(height * picture.width / picture.height), height), Image.Resampling.LANCZOS)
        for picture in row
    ]


if __name__ == "__main__":
    main()
