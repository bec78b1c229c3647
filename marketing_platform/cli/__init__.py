"""The command line `marketing-platform`. Commands are thin; they print what packages beside return.

Modules of this package import heavy libraries inside their commands, so that `--help` is quick.
"""

from __future__ import annotations

import sys

from marketing_platform.errors import MarketingPlatformError


def main() -> None:
    """Entry point: errors we know become one message and exit code 1, never a traceback."""
    from marketing_platform.cli.app import app

    try:
        app()
    except MarketingPlatformError as error:
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True).print(Text(str(error), style="red"), soft_wrap=True)
        sys.exit(1)
