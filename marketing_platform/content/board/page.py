"""A board as a page: the one that is asked for, to be downloaded, and its other themes and aspects.

The page is one file that loads nothing: a browser could not send the API's key along.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from marketing_platform.content.board.document import Board
from marketing_platform.content.board.png import ImageBytes, to_png
from marketing_platform.content.board.svg import svg_element, svg_style, to_svg
from marketing_platform.content.board.typography import Fonts

_STYLE = """
:root{color-scheme:light dark;--page:#ffffff;--ink:#1d2127;--faint:#596069;--edge:#d9d7d2}
@media (prefers-color-scheme:dark){:root{--page:#0d0f12;--ink:#f3f1ec;--faint:#aeb5bf;--edge:#333941}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 board-regular,system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:clamp(16px,4vw,48px)}
h1{font-family:board-display,sans-serif;font-size:clamp(22px,4vw,32px);line-height:1.2}
h1{margin:0 0 4px;overflow-wrap:anywhere}
h2{font-family:board-strong,sans-serif;font-size:18px;margin:40px 0 12px}
p{margin:0 0 16px;color:var(--faint)}
figure{margin:0}
figure svg{display:block;width:100%;height:auto;border-radius:12px;outline:1px solid var(--edge)}
figure svg svg{border-radius:0;outline:0}
figcaption{margin-top:8px;color:var(--faint);font-size:14px}
.board svg{max-height:85vh;width:auto;max-width:100%;margin:0 auto}
.downloads{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0 0}
.downloads a{color:var(--ink);border:1px solid var(--faint);border-radius:999px;padding:10px 20px}
.downloads a{text-decoration:none}
.downloads a:hover,.downloads a:focus-visible{background:var(--ink);color:var(--page)}
.others{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr));gap:24px;align-items:start}
"""


def to_page(
    board: Board, themes: Sequence[Board], aspects: Sequence[Board], fonts: Fonts, image_bytes: ImageBytes
) -> bytes:
    """The page of a board, with the same in other `themes` and in other `aspects`.

    The same bytes for the same boards.
    """
    everything = (board, *themes, *aspects)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="robots" content="noindex"><title>{escape(board.title)}</title>',
        f"<style>{svg_style(everything, fonts)}{_STYLE}</style></head><body><main>",
        f"<h1>{escape(board.title)}</h1>",
        f"<p>{escape(board.theme)}, {escape(board.aspect)}</p>",
        f'<figure class="board">{svg_element(board, image_bytes, prefix="b")}</figure>',
        '<div class="downloads">',
        _download("PNG", "png", "image/png", to_png(board, fonts, image_bytes)),
        _download("SVG", "svg", "image/svg+xml", to_svg(board, fonts, image_bytes)),
        "</div>",
        *_notes(board),
        *_others("Other themes", [(other.theme, other) for other in themes], image_bytes, "h"),
        *_others("Other shapes", [(other.aspect, other) for other in aspects], image_bytes, "s"),
        "</main></body></html>\n",
    ]
    return "".join(parts).encode()


def _download(name: str, suffix: str, media: str, content: bytes) -> str:
    href = f"data:{media};base64,{b64encode(content).decode()}"
    return f'<a download="board.{suffix}" href="{href}">Download {name}</a>'


def _notes(board: Board) -> list[str]:
    if not board.notes:
        return []
    return ["<h2>Notes</h2><ul>", *(f"<li>{escape(note)}</li>" for note in board.notes), "</ul>"]


def _others(
    heading: str, boards: Sequence[tuple[str, Board]], image_bytes: ImageBytes, prefix: str
) -> list[str]:
    if not boards:
        return []
    figures = [
        f"<figure>{svg_element(board, image_bytes, prefix=f'{prefix}{number}-')}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for number, (name, board) in enumerate(boards)
    ]
    return [f'<h2>{heading}</h2><div class="others">', *figures, "</div>"]
