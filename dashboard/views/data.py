"""What the figures are made of: the release, those before it, and every file that landed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import reading, states, tables, words
from dashboard.api import NoAnswer, Why

_STATES = {
    "landed": "being checked",
    "accepted": "taken",
    "accepted on purpose": "taken on purpose",
    "held": "held back",
}
_ALL = "all"
_PAGE = 50


def page() -> None:
    """The release in figures, then files, then releases."""
    with states.told("release"):
        _current()
    st.header("Files")
    with states.told("files"):
        _files()
    st.header("Releases")
    with states.told("releases"):
        _releases()


def _current() -> None:
    try:
        release = reading.api().get("/api/v1/releases/current")
    except NoAnswer as error:
        if error.why is not Why.NO_RELEASE:
            raise
        states.show(error, "release")
        return
    totals = release["totals"]
    cards = (
        ("Rows landed", totals["rows_landed"]),
        ("Good rows", totals["rows_valid"]),
        ("Refused rows", totals["rows_quarantined"]),
        ("People", totals["users"]),
        ("Campaigns", totals["campaigns"]),
    )
    for column, (label, value) in zip(st.columns(len(cards)), cards, strict=True):
        column.metric(label, words.count(value), border=True)
    held = release["held_batches"]
    checks = "Every check that can stop a release passed."
    st.caption(f"{checks} {held} files are held back." if held else f"{checks} No file is held back.")


def _files() -> None:
    state = st.segmented_control(
        "Show",
        [_ALL, *_STATES],
        default=_ALL,
        required=True,
        format_func=lambda name: _STATES.get(name, "all files"),
        key="files",
        bind="query-params",
    )
    found = reading.api().get("/api/v1/batches", {"limit": _PAGE, "state": None if state == _ALL else state})[
        "items"
    ]
    if not found:
        states.nothing("No file has landed yet." if state == _ALL else "There is no such file.")
        return
    st.dataframe(
        [_line(batch) for batch in found],
        hide_index=True,
        column_config={
            "Refused": st.column_config.NumberColumn(format="localized"),
            "Rows": st.column_config.NumberColumn(format="localized"),
        },
        alt="Files that landed, newest first; choose one below to read about it.",
    )
    chosen = st.selectbox(
        "Look at a file",
        found,
        index=None,
        format_func=lambda batch: f"{batch['object']} ({_STATES[batch['state']]})",
        placeholder="Choose a file",
    )
    if chosen is not None:
        _file(reading.api().get(f"/api/v1/batches/{chosen['batch_id'].rpartition('@')[2]}"))


def _line(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "File": batch["object"],
        "State": _STATES[batch["state"]],
        "Rows": batch["rows_landed"],
        "Refused": batch["rows_quarantined"],
        "Landed": words.moment(batch["landed_at"]),
        "Export": words.title(batch["source"]),
    }


def _file(batch: Mapping[str, Any]) -> None:
    rows, refused = words.count(batch["rows_landed"]), words.count(batch["rows_quarantined"])
    st.markdown(
        f"**{words.plain(batch['object'])}** is {_STATES[batch['state']]}: {rows} rows, {refused} refused."
    )
    if batch["failed"]:
        st.warning(f"It broke: {', '.join(map(words.title, batch['failed']))}.", icon=":material/pan_tool:")
    if batch["reasons"]:
        tables.show(
            [
                {"Why rows were refused": reason, "Rows": words.count(count)}
                for reason, count in batch["reasons"].items()
            ]
        )
    st.caption("What happened to it")
    tables.show([_event(event) for event in batch["history"]])


def _event(event: Mapping[str, Any]) -> dict[str, str]:
    return {
        "When": words.moment(event["at"]),
        "What": event["action"],
        "Who": event["who"] or "the platform",
        "Why": event["why"] or words.NOTHING,
    }


def _releases() -> None:
    found = reading.api().get("/api/v1/releases", {"limit": _PAGE})["items"]
    if not found:
        states.nothing("There is no release yet.")
        return
    tables.show(
        [
            {
                "Made": words.moment(release["created_at"]),
                "State": "shown now" if release["current"] else "kept" if release["pinned"] else "earlier",
                "Good rows": words.count(release["totals"]["rows_valid"]),
                "Files": words.count(release["batches"]),
                "Held back": words.count(release["held_batches"]),
                "Release": release["release_id"],
            }
            for release in found
        ]
    )
