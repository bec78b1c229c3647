"""How fast personal content is made: `python -m benchmarks.content`. The last line is JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from benchmarks import content_boards, content_emails
from benchmarks.page import Section, table, wanted, write

_NOTES = """
- E-mails are of the template `weekly_picks` with six products each, from the stored documents of a release to
  subject, page and text, in one process, per second of processor time; the median of some rounds.
- Boards are asked of an API process over the sample, one after the other, then the same again in turns with
  the features of the same user. What is on a board is looked up each time, so that nothing that was
  suppressed stays on it.
"""


def section(emails_per_second: float, boards: Mapping[str, float]) -> tuple[str, str]:
    """What the page says: a table, and how it was measured."""
    rows = [
        ["e-mails per second and core", "1,000", f"{emails_per_second:,.0f}"],
        ["boards (PNG) per second and core", "", f"{boards['boards_per_core_s']:.1f}"],
        ["a board that nobody asked for yet, 95 % within", "150 ms", f"{boards['board_cold_p95_ms']:.0f} ms"],
        [
            "one that is remembered, beside another look-up of the user",
            "as fast",
            f"{boards['board_cached_p50_ms']:.2f} ms beside {boards['lookup_p50_ms']:.2f} ms,"
            f" {boards['board_cached_ratio']:.2f} times",
        ],
    ]
    return table(("what", "goal", "measured"), rows), _NOTES


def main() -> None:
    """Print what was measured, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="with a release; made of the sample unless given")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    options = parser.parse_args()
    console, load = Console(), wanted()
    per_second = content_emails.emails()
    console.print(content_emails.told(per_second))
    boards = content_boards.boards(options.data_dir)
    console.print(content_boards.told(boards))
    found = {
        "emails_per_core_s": round(per_second),
        "boards_per_core_s": round(boards["boards_per_core_s"], 1),
        "board_cold_p95_ms": round(boards["board_cold_p95_ms"], 1),
        "board_cached_ratio": round(boards["board_cached_ratio"], 2),
    }
    if options.write_docs:
        write(Section.CONTENT, *section(per_second, boards), load=load)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
