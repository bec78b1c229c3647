"""What is recommended to one person, and why; and who is like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboard import reading, states, tables, words

_KINDS = {
    "product": "Products",
    "campaign": "Campaigns",
    "cross_category": "Products of other categories",
    "content": "Products like what they write about",
    "trending": "Trending products",
}
_PEOPLE = 200
_MOST = 5
_RELATIONS = {
    "SIMILAR_TO": "is like",
    "PARTICIPATED_IN": "took part in",
    "PURCHASED": "bought",
    "GOES_WITH": "goes with",
    "INTERESTED_IN": "is interested in",
    "BELONGS_TO": "belongs to",
    "TARGETED_BY": "was reached by",
    "PROMOTES": "promotes",
    "ABOUT": "is about",
}


def page() -> None:
    """Somebody, what to show them, and why."""
    engaged = reading.read("/analytics/user-engagement", {"limit": _PEOPLE})["items"]
    if not engaged:
        states.nothing("Nobody in the data has done anything yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        user = st.selectbox(
            "Person",
            [line["user_id"] for line in engaged],
            key="person",
            bind="query-params",
            accept_new_options=True,
            width=260,
            help=f"The {len(engaged)} most engaged; or type any id.",
        )
        kind = st.selectbox(
            "What to show them",
            list(_KINDS),
            format_func=_KINDS.__getitem__,
            key="kind",
            bind="query-params",
            width=280,
        )
    with states.told("recommended"):
        _recommended(str(user), kind)
    st.header("People like them")
    with states.told("alike"):
        _similar(str(user))


def _recommended(user: str, kind: str) -> None:
    asked = {"kind": kind, "limit": _MOST, "preview": "true"}
    answer = reading.read(f"/api/v1/users/{_in_path(user)}/recommendations", asked)
    names = _names()
    names |= {_id(item): item["name"] for item in answer["items"] if item.get("name")}
    if not answer["items"]:
        states.nothing("There is nothing to recommend to this person.")
    for place, item in enumerate(answer["items"], start=1):
        _card(place, item, names)
    if answer["dropped"]:
        ids = [str(one["item_id"]) for one in answer["dropped"]]
        held = words.listed([names.get(one, one) for one in ids])
        st.caption(f"Kept back by your rules: {words.plain(held)}.")


def _card(place: int, item: Mapping[str, Any], names: Mapping[str, str]) -> None:
    with st.container(border=True):
        st.markdown(f"**{place}. {words.plain(names.get(_id(item), _id(item)))}**")
        st.markdown(words.plain(item["reason"]))
        if item["rules"]:
            st.caption(f"Your rules: {words.plain(', '.join(item['rules']))}")
        with st.expander(f"Why {words.plain(names.get(_id(item), _id(item)))}"):
            tables.show([_cause(part, names) for part in item["contributions"]])
            if len(item["path"]) > 1:
                st.markdown(f"How they are connected: {words.plain(_path(item['path'], names))}")


def _cause(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    causes = [_named(cause, names) for cause in part["causes"]]
    return {
        "Found by": words.recommender(part["recommender"]),
        "Part": words.share(part["share"]),
        "Because of": words.listed(causes) or words.NOTHING,
    }


def _named(cause: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if cause["id"] is None:
        return "what everybody takes" if cause["kind"] == "everyone" else words.title(cause["kind"])
    return _called(cause, names)


def _called(one: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """By the name that the answer has; those of releases before there were names lack it."""
    return one.get("name") or names.get(one["id"], one["id"])


def _path(steps: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    said = [
        _RELATIONS.get(step["label"], words.title(step["label"]).lower())
        if step["kind"] == "relation"
        else _called(step, names) or words.title(step["label"])
        for step in steps
    ]
    return " → ".join(said)


def _similar(user: str) -> None:
    answer = reading.read(f"/api/v1/users/{_in_path(user)}/similar", {"limit": _MOST})
    if not answer["items"]:
        states.nothing("Nobody writes like this person.")
        return
    names = _names()
    tables.show(
        [
            {
                "Person": item["user_id"],
                "Alike": words.share(item["score"]),
                "Campaigns of both": words.listed(
                    [names.get(str(one), str(one)) for one in item["common_campaigns"]], most=3
                )
                or words.NOTHING,
            }
            for item in answer["items"]
        ]
    )


def _names() -> dict[str, str]:
    """Campaigns by id; products carry theirs."""
    found = reading.read("/analytics/campaign-performance", {"limit": 500})["items"]
    return {line["campaign_id"]: line["name"] for line in found if line["name"]}


def _id(item: Mapping[str, Any]) -> str:
    return item.get("product_id") or item["campaign_id"]


def _in_path(user: str) -> str:
    return quote(user, safe="")
