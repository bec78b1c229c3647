"""Ranking for one user and for all: the same answers, and explanations that hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.graph import graph_model
from marketing_platform.recommenders.answers import (
    ANSWER_SCHEMA,
    CampaignRecommendationsAnswer,
    SimilarUsersAnswer,
    to_json,
)
from marketing_platform.recommenders.campaign_batches import recommend_all, similar_users_of_all
from marketing_platform.recommenders.campaigns import (
    SimilarNeighbour,
    neighbours_of_messages,
    rank_campaigns,
)
from marketing_platform.recommenders.interactions import Interactions, interactions
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.stores.protocols import Neighbour

USERS = [f"u{number}" for number in range(8)]
CAMPAIGNS = [f"c{number}" for number in range(5)]
ENGAGEMENT = st.integers(-2, 20).map(lambda halves: halves / 2)

Model = TypeVar("Model", CampaignRecommendationsAnswer, SimilarUsersAnswer)
Participation = dict[str, dict[str, float]]
Similar = dict[str, dict[str, float]]

worlds = st.tuples(
    st.dictionaries(
        st.sampled_from(USERS),
        st.dictionaries(
            st.sampled_from(USERS), st.integers(-2, 10).map(lambda tenths: tenths / 10), max_size=7
        ),
    ).map(
        lambda all_: {user: {o: s for o, s in others.items() if o != user} for user, others in all_.items()}
    ),
    st.dictionaries(st.sampled_from(USERS), st.dictionaries(st.sampled_from(CAMPAIGNS), ENGAGEMENT)),
)


def overall(participation: Participation) -> dict[str, float]:
    return {
        campaign: sum(taken.get(campaign, 0.0) for taken in participation.values()) for campaign in CAMPAIGNS
    }


def as_interactions(similar: Similar, participation: Participation) -> Interactions:
    close = [(user, other, score) for user, others in similar.items() for other, score in others.items()]
    part = [(user, name, value) for user, taken in participation.items() for name, value in taken.items()]
    return interactions(
        USERS,
        CAMPAIGNS,
        pa.table(
            {
                "user_id": pa.array([row[0] for row in close], pa.string()),
                "similar_user_id": pa.array([row[1] for row in close], pa.string()),
                "score": pa.array([row[2] for row in close], pa.float64()),
            }
        ),
        pa.table(
            {
                "user_id": pa.array([row[0] for row in part], pa.string()),
                "campaign_id": pa.array([row[1] for row in part], pa.string()),
                "engagement_score": pa.array([row[2] for row in part], pa.float64()),
            }
        ),
    )


def one(
    user: str, similar: Similar, participation: Participation, limit: int = 10
) -> CampaignRecommendationsAnswer:
    neighbours = [SimilarNeighbour(other, score) for other, score in similar.get(user, {}).items()]
    return rank_campaigns(user, neighbours, participation, overall(participation), limit=limit)


def models(tables: Iterable[pa.Table], kind: type[Model]) -> list[Model]:
    """The stored answers as models, after a look at whether they say what models write."""
    rows = pa.concat_tables(tables)
    documents = rows["answer"].to_pylist()
    answers = [kind.model_validate_json(document) for document in documents]
    assert [orjson.loads(to_json(answer)) for answer in answers] == list(map(orjson.loads, documents))
    assert [answer.user_id for answer in answers] == rows["key"].to_pylist()
    return answers


def documents_of(stored: pa.Table) -> pa.Table:
    """Stored lists as the documents of all their items, after a look at what stands before these."""
    answers: list[bytes] = []
    for document in stored["answer"].to_pylist():
        told = StoredList.read(document)
        items = [orjson.loads(item) for item in told.items]
        assert told.shown == 2
        assert told.ids == [item["campaign_id"] for item in items]
        assert told.categories == ["Tents" if one == "c1" else None for one in told.ids]
        answers.append(orjson.dumps({**told.head, "items": items}))
    return pa.table({"key": stored["key"], "answer": answers}, schema=ANSWER_SCHEMA)


def approximate(document: Any) -> Any:
    if isinstance(document, float):
        return pytest.approx(document, abs=2e-6)
    if isinstance(document, dict):
        return {key: approximate(value) for key, value in document.items()}
    return [approximate(value) for value in document] if isinstance(document, list) else document


@settings(max_examples=100, deadline=None)
@given(worlds, st.integers(1, 6), st.integers(1, 9))
def test_batch_equals_scalar(world: tuple[Similar, Participation], limit: int, block_rows: int) -> None:
    blocks = recommend_all(
        as_interactions(*world), limit=limit, shown=2, categories={"c1": "Tents"}, block_rows=block_rows
    )
    answers = models(map(documents_of, blocks), CampaignRecommendationsAnswer)
    assert [answer.user_id for answer in answers] == USERS
    for answer in answers:
        expected = one(answer.user_id, *world, limit=limit)
        assert answer.model_dump(mode="json") == approximate(expected.model_dump(mode="json"))


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_never_empty_ordered_and_explained(world: tuple[Similar, Participation]) -> None:
    for user in USERS:
        answer = one(user, *world)
        assert answer.items
        order = [(item.already_participated, -item.score) for item in answer.items]
        assert order == sorted(order)
        for item in answer.items:
            assert item.already_participated == (item.campaign_id in world[1].get(user, {}))
            assert item.path[-1].id == item.campaign_id
            if answer.strategy == "popular":
                assert "no similar user" in item.reason
                assert not item.contributions
            else:
                assert math.isclose(sum(part.share for part in item.contributions), 1, abs_tol=1e-5)
                assert item.path[0].id == user


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_without_a_named_contributor_the_score_is_lower(world: tuple[Similar, Participation]) -> None:
    similar, participation = world
    for user in USERS:
        answer = one(user, similar, participation)
        for item in answer.items:
            for contribution in item.contributions:
                if contribution.user_id is None:
                    continue
                without = {name: dict(taken) for name, taken in participation.items()}
                del without[contribution.user_id][item.campaign_id]
                again = one(user, similar, without)
                scores = {
                    other.campaign_id: other.score for other in again.items if again.strategy != "popular"
                }
                assert scores.get(item.campaign_id, 0.0) < item.score


def test_the_score_by_hand() -> None:
    participation = {"u1": {"c1": 4.0}, "u2": {"c1": 1.0, "c2": 3.0}, "u3": {"c3": 9.0}}
    answer = one("u0", {"u0": {"u1": 0.9, "u2": 0.6, "u3": -0.5}}, participation)
    first, second = answer.items
    assert (first.campaign_id, second.campaign_id) == ("c1", "c2")
    assert first.score == round((0.9 * 4 + 0.6 * 1) / 1.5, 6)
    assert first.engagement == 5.0
    assert first.reason == "2 of 2 similar users took part, above all u1 (90% similar)."
    assert [(part.user_id, part.share) for part in first.contributions] == [
        ("u1", 0.857143),
        ("u2", 0.142857),
    ]
    assert [step.id for step in first.path] == ["u0", None, "u1", None, "c1"]


def test_what_was_taken_before_stays_behind_what_is_new() -> None:
    participation = {"u0": {"c1": 1.0}, "u1": {"c1": 9.0, "c2": 0.5}}
    answer = one("u0", {"u0": {"u1": 0.8}}, participation)
    assert [(item.campaign_id, item.already_participated) for item in answer.items] == [
        ("c2", False),
        ("c1", True),
    ]
    assert answer.items[1].reason.endswith("; the user took part before.")


def test_many_contributors_are_folded_into_others() -> None:
    close = {f"u{number}": 0.9 - number / 10 for number in range(1, 7)}
    answer = one("u0", {"u0": close}, {user: {"c1": 2.0} for user in close})
    *named, others = answer.items[0].contributions
    assert [part.user_id for part in named] == ["u1", "u2", "u3"]
    assert (others.user_id, others.users, others.engagement) == (None, 3, 6.0)


def test_a_typed_message_leads_through_messages_to_campaigns() -> None:
    hits = [
        Neighbour("m1", "u1", 0.7),
        Neighbour("m2", "u1", 0.9),
        Neighbour("m3", "u2", 0.8),
        Neighbour("m4", "u0", 0.99),
        Neighbour("m5", "u3", -0.2),
    ]
    close = neighbours_of_messages(hits, user_id="u0")
    assert close == [SimilarNeighbour("u1", 0.9, "m2"), SimilarNeighbour("u2", 0.8, "m3")]
    answer = rank_campaigns("u0", close, {"u1": {"c1": 1.0}}, {"c1": 1.0}, limit=5)
    assert answer.strategy == "similar_messages"
    labels = [step.label for step in answer.items[0].path]
    assert labels == [
        "User",
        "SENT",
        "Message",
        "SIMILAR_TO",
        "Message",
        "SENT",
        "User",
        "PARTICIPATED_IN",
        "Campaign",
    ]
    known = {label.label for label in graph_model().labels} | {
        relation.type for relation in graph_model().relations
    }
    assert set(labels) <= known


def test_without_campaigns_there_is_nothing_to_recommend() -> None:
    assert rank_campaigns("u0", [], {}, {}, limit=5).items == ()


def test_similar_users_share_campaigns() -> None:
    participation = {"u0": {"c1": 1.0, "c2": 5.0, "c3": 2.0}, "u1": {"c2": 4.0, "c1": 3.0}}
    given_ = as_interactions({"u0": {"u1": 0.5, "u2": 0.9}}, participation)
    answers = models(similar_users_of_all(given_, model="m", block_rows=3), SimilarUsersAnswer)
    assert [(item.user_id, item.score, item.common_campaigns) for item in answers[0].items] == [
        ("u2", 0.9, ()),
        ("u1", 0.5, ("c2", "c1")),
    ]
    assert all(not answer.items for answer in answers[1:])


@settings(max_examples=100, deadline=None)
@given(worlds, st.integers(1, 9))
def test_similar_users_are_stored_as_the_models_write_them(
    world: tuple[Similar, Participation], block_rows: int
) -> None:
    similar, participation = world
    tables = similar_users_of_all(as_interactions(*world), model="m", block_rows=block_rows)
    for answer in models(tables, SimilarUsersAnswer):
        expected = similar.get(answer.user_id, {})
        assert [(item.user_id, item.score) for item in answer.items] == sorted(
            expected.items(), key=lambda item: (-item[1], item[0])
        )
        own = participation.get(answer.user_id, {})
        for item in answer.items:
            theirs = participation.get(item.user_id, {})
            common = sorted(
                own.keys() & theirs.keys(), key=lambda name: (-min(own[name], theirs[name]), name)
            )
            assert item.common_campaigns == tuple(common[:5])


@pytest.mark.parametrize("figure", [math.nan, math.inf])
def test_a_figure_that_json_cannot_say_is_refused(figure: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        as_interactions({}, {"u0": {"c1": figure}})


def test_a_table_that_names_a_stranger_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown user 'stranger'"):
        as_interactions({"u0": {"stranger": 0.4}}, {})
