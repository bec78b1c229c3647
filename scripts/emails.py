"""Writes docs/images/emails.png: e-mails of ten sample users in Chromium, `python -m scripts.emails`.

Each at phone and desktop width, light and dark. Makes an installation of its own of the sample data, unless
--data-dir names one that has a release. Needs Chromium or Chrome; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, sync_playwright

from marketing_platform.cli.options import settings_of
from marketing_platform.content.email.rendering import Rendered, Wish
from marketing_platform.content.people import Person
from marketing_platform.mailing.opening import render_one
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from scripts.screenshots import IMAGES, browser_path, sample_installation

_USERS = 10
_TEMPLATES = ("weekly_picks", "thanks", "win_back")
_WIDTHS = (375, 800)
_SCALE = 0.3
_TALLEST = 1500  # of an e-mail, before it is made smaller
_GAP, _CAPTION = 14, 18
_COLUMNS = 2
_COLOURS = 96
_LONGEST = 400_000  # bytes
# Pillow's own font lacks letters that names have.
_FONT = ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 11)


@dataclass(frozen=True)
class _Shown:
    caption: str
    pictures: list[Image.Image]


def main() -> None:
    """Make the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args().data_dir
    with tempfile.TemporaryDirectory(prefix="emails-") as folder:
        if given is None:
            given = Path(folder, "data")
            sample_installation(given)
        settings = settings_of(given)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
            shown = [_looked_at(browser, user, email) for user, email in _emails(settings)]
            browser.close()
    IMAGES.mkdir(parents=True, exist_ok=True)
    target = IMAGES / "emails.png"
    _sheet(shown).quantize(_COLOURS).save(target, optimize=True)
    print(f"{target.name} {target.stat().st_size:,} bytes")
    if target.stat().st_size > _LONGEST:
        sys.exit(f"{target.name} is larger than {_LONGEST:,} bytes; show less")


def _emails(settings: Settings) -> Iterator[tuple[str, Rendered]]:
    """An e-mail for each of some users, spread over all of them."""
    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        sys.exit("there is no release; `marketing-platform run` makes one")
    spoken: dict[bool, list[str]] = {True: [], False: []}  # users, by whether it is German
    with closing(open_stores(settings).answers.open(shelf.load(current).answers["people"].name)) as reader:
        for number in range(1, 400):
            found = reader.get(f"u-{number:06}")
            if found is not None:
                german = (Person.read(found).language or "").startswith("de")
                spoken[german].append(f"u-{number:06}")
    for place in range(_USERS):
        known = spoken[place % 3 == 1]
        user = known[place * len(known) // _USERS]
        yield user, render_one(settings, _TEMPLATES[place // 2 % len(_TEMPLATES)], user, Wish())


def _looked_at(browser: Browser, user: str, email: Rendered) -> _Shown:
    pictures: list[Image.Image] = []
    for width in _WIDTHS:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": 400}, color_scheme=scheme)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.set_content(email.html)
            across = page.evaluate("document.documentElement.scrollWidth")
            if across > width or asked:
                sys.exit(f"{email.template} for {user}: {across} px across {width}, fetches {asked}")
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
            pictures.append(picture.crop((0, 0, width, min(picture.height, _TALLEST))))
            page.close()
    return _Shown(f"{user}  {email.template}, {email.locale}:  {email.subject}", pictures)


def _sheet(shown: list[_Shown]) -> Image.Image:
    cells = [_cell(one) for one in shown]
    rows = [cells[place : place + _COLUMNS] for place in range(0, len(cells), _COLUMNS)]
    across = max(sum(cell.width + _GAP for cell in row) for row in rows) + _GAP
    down = sum(max(cell.height for cell in row) + _GAP for row in rows) + _GAP
    sheet = Image.new("RGB", (across, down), "#8a8f8c")
    top = _GAP
    for row in rows:
        left = _GAP
        for cell in row:
            sheet.paste(cell, (left, top))
            left += cell.width + _GAP
        top += max(cell.height for cell in row) + _GAP
    return sheet


def _cell(one: _Shown) -> Image.Image:
    small = [
        picture.resize(
            (round(picture.width * _SCALE), round(picture.height * _SCALE)), Image.Resampling.LANCZOS
        )
        for picture in one.pictures
    ]
    width = sum(picture.width for picture in small) + 6 * (len(small) - 1)
    cell = Image.new("RGB", (width, max(picture.height for picture in small) + _CAPTION), "#8a8f8c")
    ImageDraw.Draw(cell).text((0, 1), one.caption, fill="#ffffff", font=_FONT)
    left = 0
    for picture in small:
        cell.paste(picture, (left, _CAPTION))
        left += picture.width + 6
    return cell


if __name__ == "__main__":
    main()
