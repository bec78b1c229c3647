"""How well recommendations fit what people did next, as measured before the release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import charts, reading, states, tables, words

_KINDS = {"product": "Products", "campaign": "Campaigns"}
_SERVES = "hybrid"
_PARTS = {"repeat": "What they had taken before", "discovery": "What was new to them"}


def page() -> None:
    """The recommender that serves beside those it is made of."""
    kind = st.segmented_control(
        "Recommendations of",
        list(_KINDS),
        default="product",
        required=True,
        format_func=_KINDS.__getitem__,
        key="kind",
        bind="query-params",
    )
    answer = reading.read("/api/v1/recommendations/quality", {"kind": kind})
    st.caption(f"Judged by {words.plain(answer['held_out'])}, which the recommenders had not seen.")
    if not answer["items"]:
        states.nothing("There was too little to judge by.")
        return
    serving = next(line for line in answer["items"] if line["recommender"] == _SERVES)
    _cards(serving)
    st.header("Compared with simpler ways")
    st.caption("How high up the right items stand among the first ten; 1 is the best order there is (NDCG).")
    found = [(_name(line), line["ndcg"]) for line in answer["items"]]
    tables.draw(charts.bars(found, "order of the first ten (NDCG, 1 is perfect)", "ratio"))
    rows = [{"Recommender": _name(line), **_figures(line)} for line in answer["items"]]
    tables.folded("The same as a table", lambda: tables.show(rows))
    if answer["parts"]:
        st.header("Known and new")
        tables.show(
            [
                {"Of": _PARTS.get(line["part"], words.title(line["part"])), **_figures(line)}
                for line in answer["parts"]
            ]
        )


def _cards(line: Mapping[str, Any]) -> None:
    cards = (
        (
            "People who took one of the ten",
            line["hit_rate"],
            "Of a hundred people, so many took at least one of the ten shown.",
        ),
        (
            "Of what they took, shown",
            line["recall"],
            "Of all that people took afterwards, the part that had been shown.",
        ),
        ("Items that get shown", line["coverage"], "The part of all items that anybody was shown."),
    )
    for column, (label, value, says) in zip(st.columns(len(cards)), cards, strict=True):
        column.metric(label, words.share(value), help=says, border=True)
    st.caption(f"Measured on {words.count(line['users'])} people.")


def _figures(line: Mapping[str, Any]) -> dict[str, str]:
    return {
        "People": words.count(line["users"]),
        "Took one of ten": words.share(line["hit_rate"]),
        "Found": words.share(line["recall"]),
        "Right among ten": words.share(line["precision"]),
        "Order (0 to 1)": words.figure(line["ndcg"], "ratio", None),
        "Items shown": words.share(line["coverage"]),
    }


def _name(line: Mapping[str, Any]) -> str:
    return words.recommender(line["recommender"])
