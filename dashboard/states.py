"""What a page looks like when it has nothing to show: no release, no API, no permission, too much asked."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import streamlit as st

from dashboard.api import NoAnswer, Why

_HEADLINES = {
    Why.DOWN: ("The platform cannot be reached", ":material/cloud_off:"),
    Why.NO_RELEASE: ("There are no figures yet", ":material/hourglass_empty:"),
    Why.NOT_YET: ("This comes with the next release", ":material/update:"),
    Why.KEY: ("The dashboard is not known to the platform", ":material/key_off:"),
    Why.SCOPE: ("The dashboard may not show this", ":material/lock:"),
    Why.BUSY: ("Too many questions at once", ":material/speed:"),
    Why.NOT_FOUND: ("This is not in the data", ":material/search_off:"),
    Why.REFUSED: ("This cannot be answered", ":material/help:"),
    Why.FAILED: ("The platform could not answer", ":material/error:"),
}
_WHAT_TO_DO = {
    Why.DOWN: "Whoever runs it can start it with `marketing-platform up`. Nothing you did is lost.",
    Why.NO_RELEASE: "Figures appear once a file has landed and passed its checks, usually within a minute."
    " You can upload one under **Upload**.",
    Why.NOT_YET: "What is shown now was released before the platform could do this. The next release has it,"
    " made when a file lands.",
    Why.KEY: "Its key is missing, has ended or was revoked. Whoever runs it can start the dashboard again, or"
    " give it another key (`MARKETING_DASHBOARD_KEY`).",
    Why.SCOPE: "Its key lacks a permission. Whoever runs it can make one that has it"
    " (`marketing-platform keys create`).",
    Why.FAILED: "Try again in a moment. If it goes on, tell whoever runs the platform.",
}


@contextmanager
def told(place: str = "page") -> Generator[None]:
    """Show what went wrong in place of what the block would have shown; the rest of the page goes on.

    `place` tells it from other blocks of the page, each of which may fail.
    """
    try:
        yield
    except NoAnswer as error:
        show(error, place)


def show(error: NoAnswer, place: str = "page") -> None:
    """A problem in words, what to do, and a way to try again."""
    headline, icon = _HEADLINES[error.why]
    box = st.info if error.why in (Why.NO_RELEASE, Why.NOT_YET, Why.NOT_FOUND, Why.REFUSED) else st.warning
    box(f"**{headline}.** {_words(error)}", icon=icon)
    if error.why not in (Why.NOT_YET, Why.REFUSED, Why.NOT_FOUND, Why.SCOPE):
        st.button("Try again", key=f"again-{place}", icon=":material/refresh:")


def nothing(words: str) -> None:
    """There is an answer, and it is empty."""
    st.info(words, icon=":material/inbox:")


def _words(error: NoAnswer) -> str:
    if error.why is Why.BUSY:
        wait = f"in {error.retry_seconds} s" if error.retry_seconds else "in a moment"
        return f"Please try again {wait}."
    if error.why in (Why.REFUSED, Why.NOT_FOUND):
        return _sentence(error.message)
    found = f" (request {error.request_id})" if error.request_id and error.why is Why.FAILED else ""
    said = f"{_sentence(error.message)} " if error.why in (Why.SCOPE, Why.FAILED, Why.DOWN) else ""
    return f"{said}{_WHAT_TO_DO[error.why]}{found}"


def _sentence(message: str) -> str:
    return message if message.endswith((".", "!", "?")) else f"{message}."
