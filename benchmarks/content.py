"""How fast personal content is made: `python -m benchmarks.content`. The last line is JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from benchmarks import content_boards, content_emails


def main() -> None:
    """Print what was measured, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="with a release; made of the sample unless given")
    options = parser.parse_args()
    console = Console()
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
    print(json.dumps(found))


if __name__ == "__main__":
    main()
