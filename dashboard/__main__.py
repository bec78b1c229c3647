"""`python -m dashboard --host … --port …`: the pages, once everything that they need is imported.

`streamlit run dashboard/app.py` shows the same, but its first visitor waits for the imports, and a browser's
first visit takes its scripts as Streamlit sends them (`scripts.py`).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import streamlit as st
from starlette.middleware import Middleware

from dashboard import scripts, views

_APP = Path(__file__).with_name("app.py").resolve()


@asynccontextmanager
async def _ready(_: st.App) -> AsyncGenerator[None]:
    """Nobody is answered before this is done; what is to be remembered asks for Streamlit's runtime."""
    await asyncio.to_thread(_prepare)
    yield


def _prepare() -> None:
    for view in iter_modules(views.__path__):
        import_module(f"{views.__name__}.{view.name}")
    scripts.compress_first()


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m dashboard")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    asked = parser.parse_args()
    app = st.App(
        _APP,
        lifespan=_ready,
        routes=[scripts.document()],
        middleware=[Middleware(scripts.Compressed)],
    )
    app.run(config={"server.address": asked.host, "server.port": asked.port})


if __name__ == "__main__":
    main()
