"""`python -m dashboard --host … --port …`: the pages, once everything that they need is imported.

`streamlit run dashboard/app.py` shows the same, but its first visitor waits for the imports.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from streamlit.web import cli

_VIEWS = (
    "ask",
    "campaigns",
    "data",
    "experiments",
    "forecasts",
    "overview",
    "quality",
    "recommendations",
    "uploads",
)
_APP = Path(__file__).with_name("app.py")


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m dashboard")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    asked = parser.parse_args()
    for view in _VIEWS:
        import_module(f"dashboard.views.{view}")
    options = ["--server.address", asked.host, "--server.port", str(asked.port)]
    sys.argv = ["streamlit", "run", str(_APP), *options]
    cli.main()


if __name__ == "__main__":
    main()
