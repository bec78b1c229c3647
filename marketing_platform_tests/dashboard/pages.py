"""Pages as AppTest runs them, with the frame around them."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

import dashboard

APP = Path(dashboard.__file__).with_name("app.py")
_PAGE = """
from dashboard import frame
from dashboard.views import {view}
frame.show("{view}", {view}.page, needs_release={needs_release})
"""


def opened(view: str, *, needs_release: bool = True, **address: str) -> AppTest:
    """A page, looked at once; `address` are parameters of its address."""
    page = AppTest.from_string(_PAGE.format(view=view, needs_release=needs_release), default_timeout=60)
    for name, value in address.items():
        page.query_params[name] = value
    return settled(page.run())


def settled(page: AppTest) -> AppTest:
    """The page, which has not failed."""
    assert not page.exception, [failure.value for failure in page.exception]
    return page


def text(page: AppTest) -> str:
    """Everything that is written on it."""
    parts = (
        *page.title,
        *page.header,
        *page.subheader,
        *page.markdown,
        *page.caption,
        *page.info,
        *page.warning,
    )
    return "\n".join(str(part.value) for part in (*parts, *page.success, *page.error))
