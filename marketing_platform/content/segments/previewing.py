"""Who would belong to a segment: criteria asked of one release, before anybody relies on them."""

from __future__ import annotations

from dataclasses import dataclass

from marketing_platform.content.segments.queries import count_sql, members_query, sample_sql
from marketing_platform.content.segments.spec import Criteria
from marketing_platform.features.asking import Ask, end_of_data
from marketing_platform.features.spec import Features


@dataclass(frozen=True)
class Preview:
    """How many users, how many of them agreed to marketing, and some of their ids."""

    users: int
    consenting: int
    sample: tuple[str, ...]


def preview(ask: Ask, who: Criteria, features: Features, *, most: int) -> Preview:
    """The users for whom the criteria hold.

    Args:
        ask: Answers queries over the tables of one release.
        who: Names and values fit (`loading.unfit`).
        features: What is declared of users.
        most: How many ids to give, the first by id.
    """
    asked = members_query(who, features, end_of_data(ask))
    (counted,) = ask(count_sql(asked), asked.tables, asked.parameters).to_pylist()
    sample: list[str] = []
    if most:
        shown = ask(sample_sql(asked), asked.tables, {**asked.parameters, "most": most})
        sample = shown["user_id"].to_pylist()
    return Preview(int(counted["users"]), int(counted["consenting"]), tuple(sample))
