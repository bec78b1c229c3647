"""Upload a file: it is checked here first, lands by the API, and its way into a release is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import streamlit as st

from dashboard import reading, states, tables, words
from dashboard.api import NoAnswer, Why
from marketing_platform.errors import ExpectationError, InputError, SourceError
from marketing_platform.gates import Suites, load_suites
from marketing_platform.ingestion.checking import Checked, check_file
from marketing_platform.ingestion.uploads import object_name, takes_uploads
from marketing_platform.sources import SourceSpec

_POLL_SECONDS = 2.0
_LANDED, _CHECKED = "landed file", "checked file"
_STATES = {
    "landed": ("It is being checked.", ":material/hourglass_top:"),
    "accepted": ("It passed. The next release shows it.", ":material/check_circle:"),
    "accepted on purpose": (
        "Somebody let it in on purpose. The next release shows it.",
        ":material/check_circle:",
    ),
    "held": ("It is held back: too much of it is wrong. Nothing else is affected.", ":material/pan_tool:"),
}


@st.cache_resource(show_spinner=False)
def _suites() -> Suites:
    return load_suites(reading.settings().expectations_dir)


def page() -> None:
    """Choose, check, land, watch."""
    offered = {spec.name: spec for spec in reading.sources() if takes_uploads(spec)}
    spec = st.selectbox(
        "What is it?",
        list(offered.values()),
        index=None,
        format_func=lambda one: one.description,
        placeholder="Choose the export that the file comes from",
    )
    if spec is None:
        st.caption("The file is checked before anything happens to it. You decide whether it lands.")
        _watch()
        return
    st.caption(
        f"Reads {words.plain(' or '.join(spec.path))} into {', '.join(map(words.title, spec.tables))}."
    )
    file = st.file_uploader("File", key=f"file-{spec.name}")
    landed: Mapping[str, Any] = st.session_state.get(_LANDED, {})
    # Once it has landed, what became of it counts.
    if file is not None and landed.get("file") != file.file_id and _place(spec, file.name):
        _checked_and_landed(spec, file.name, file, file.file_id)
    _watch()


def _place(spec: SourceSpec, file_name: str) -> bool:
    """Say where the file would land, or why it cannot; whether it can."""
    try:
        name = object_name(reading.sources(), spec, file_name)
    except (InputError, SourceError) as error:
        st.warning(f"**This file cannot land here.** {words.plain(str(error))}", icon=":material/block:")
        return False
    st.caption(f"It would land as {words.plain(name)}, and replace what landed under that name before.")
    return True


def _checked_and_landed(spec: SourceSpec, name: str, content: BinaryIO, identity: str) -> None:
    before = st.session_state.get(_CHECKED)
    if before is not None and before[0] == identity:
        found: Checked | None = before[1]
    else:
        found = _check(spec, content)
        st.session_state[_CHECKED] = (identity, found)
    if found is None:
        return
    checked = st.empty()
    with checked.container():
        _report(found)
        if not st.button("Land this file", icon=":material/download_done:", disabled=not found.rows):
            return
    with states.told(), st.spinner("Landing …"):
        content.seek(0)
        receipt = reading.api().land(spec.name, name, content)
        st.session_state[_LANDED] = {**receipt, "file": identity}
        checked.empty()


def _check(spec: SourceSpec, content: BinaryIO) -> Checked | None:
    """The report on the whole file, told while it is made; None when the file cannot be judged."""
    found = None
    settings = reading.settings()
    with st.status("Checking the file …") as status:
        try:
            for found in check_file(
                content,
                spec,
                _suites(),
                now=datetime.now(UTC),
                chunk_rows=settings.chunk_rows,
                max_cell_bytes=settings.max_cell_bytes,
            ):
                status.update(
                    label=f"Checking the file … {words.count(found.rows)} rows,"
                    f" {words.count(found.rows_quarantined)} refused"
                )
        except ExpectationError as error:
            status.update(label="The file could not be checked", state="error")
            st.error(words.plain(str(error)))
            return None
        rows = words.count(found.rows) if found else "0"
        status.update(label=f"Checked {rows} rows", state="complete")
    return found


def _report(found: Checked) -> None:
    left, middle, right = st.columns(3)
    left.metric("Rows", words.count(found.rows), border=True)
    middle.metric("Good", words.count(found.rows_valid), border=True)
    right.metric("Refused", words.count(found.rows_quarantined), border=True)
    if not found.rows:
        states.nothing("There is no row in it.")
    elif found.held:
        why = "; ".join(verdict.reason or verdict.description for verdict in found.failed or ())
        st.warning(
            f"**It would be held back** until somebody looks at it: {words.plain(why)}.",
            icon=":material/pan_tool:",
        )
    elif found.rows_quarantined:
        st.info(
            "**It would be taken,** without the refused rows. They are kept with their reasons.",
            icon=":material/info:",
        )
    else:
        st.success("**It would be taken,** every row of it.", icon=":material/check_circle:")
    if found.reasons:
        st.header("Why rows are refused")
        tables.show([{"Reason": reason, "Rows": words.count(rows)} for reason, rows in found.reasons.items()])
        with st.expander("The first refused rows"):
            for sample in found.samples:
                st.markdown(f"**Row {sample['ordinal'] + 1}**: {words.plain('; '.join(sample['reasons']))}")
                st.json(sample["document"])


def _watch() -> None:
    if _LANDED not in st.session_state:
        return
    landed = st.session_state[_LANDED]
    st.header("Your file")
    st.markdown(f"**{words.plain(landed['object'])}** landed, {words.count(landed['size'])} bytes.")
    if "released" in landed:
        _where(landed["released"])
    else:
        _progress(landed)


@st.fragment(run_every=_POLL_SECONDS)
def _progress(landed: Mapping[str, Any]) -> None:
    """Where the file is by now; asks again until it is in a release."""
    try:
        batch = reading.api().get(f"/api/v1/batches/{landed['batch']}")
    except NoAnswer as error:
        if error.why is not Why.NOT_FOUND:
            states.show(error)
            return
        st.caption("It waits to be taken. That takes some seconds, if the platform runs.")
        return
    if batch["releases"]:
        st.session_state[_LANDED] = {**landed, "released": batch}
        st.rerun()  # nothing is asked any more, and the page shows the new release
    _where(batch)


def _where(batch: Mapping[str, Any]) -> None:
    said, icon = _STATES[batch["state"]]
    if batch["releases"]:
        said, icon = f"It is in release {batch['releases'][0]}.", ":material/verified:"
    st.markdown(f"{icon} {said}")
    if batch["state"] != "landed":
        good, refused = words.count(batch["rows_valid"]), words.count(batch["rows_quarantined"])
        st.caption(f"{words.count(batch['rows_landed'])} rows: {good} good, {refused} refused.")
