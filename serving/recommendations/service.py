"""The look-ups, and the one path that computes: message, vectors, graph, rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from marketing_platform.experiments.assigning import Assignment
from marketing_platform.graph import queries
from marketing_platform.recommenders.answers import to_json
from marketing_platform.recommenders.campaigns import neighbours_of_messages, rank_campaigns
from marketing_platform.recommenders.prepared import PRODUCT_LISTS, StoredList
from marketing_platform.recommenders.rules import Leaving, leaving
from marketing_platform.releases.overrides import ItemKind
from serving.errors import ERRORS, ApiError
from serving.experiments.exposing import Exposures
from serving.live import LivePath
from serving.overrides import Standing
from serving.releases import (
    CAMPAIGNS,
    CONTENT,
    CROSS_CATEGORY,
    MESSAGE_EMBEDDINGS,
    RECOMMENDATIONS,
    SIMILAR_USERS,
    TRENDING,
    OpenRelease,
)
from serving.responses import Edited

Kind = Literal["product", "campaign", "trending", "cross_category", "content"]
_ANSWERS: dict[str, str] = {
    "product": PRODUCT_LISTS,
    "campaign": CAMPAIGNS,
    "trending": TRENDING,
    "cross_category": CROSS_CATEGORY,
    "content": CONTENT,
}

# Enough to find as many different users as are asked for when some wrote many of the messages.
_SIMILAR_MESSAGES = 200


@dataclass(frozen=True)
class Wanted:
    """What is asked of a list."""

    kind: Kind = "product"
    limit: int | None = None  # as many as the release shows
    category: str | None = None
    explain: bool = True
    preview: bool = False  # somebody else looks: the user is not exposed to an arm

    @property
    def items(self) -> ItemKind:
        """The kind of items that are recommended."""
        return "campaign" if self.kind == "campaign" else "product"


def similar_users(release: OpenRelease, user_id: str, limit: int | None) -> bytes:
    """The prepared similar users; `unknown_user` (404) when the release has no such user."""
    found = _known(release, SIMILAR_USERS, user_id)
    if limit is None:
        return found
    document = orjson.loads(found)
    document["items"] = document["items"][:limit]
    return orjson.dumps(document)


def prepared(release: OpenRelease, user_id: str, limit: int | None, standing: Standing | None) -> bytes:
    """What similar users take part in, as far as it may leave now; without `standing` as it was made.

    Campaigns that have ended are among them. `unknown_user` (404) when the release has no such user.
    """
    stored = StoredList.read(_known(release, RECOMMENDATIONS, user_id))
    found = _leaving(user_id, stored.ids, standing, stored.shown if limit is None else limit)
    return _edited(stored.answer(found.kept, found.dropped), found)


def of_user(
    release: OpenRelease,
    user_id: str,
    wanted: Wanted,
    standing: Standing | None,
    exposures: Exposures,
) -> bytes:
    """The prepared list of a kind, as far as it may leave now; without `standing` as the release made it.

    A user of an experiment about the list gets that of their arm, which `exposures` notes.
    `unknown_user` (404) when the release has no such user, `not_ready` (503) when it is older than the kind.
    """
    arm = _arm(release, user_id, wanted, standing)
    listed = replace(wanted, kind=arm.arm.list) if arm and arm.arm.list else wanted
    stored, kept, found = chosen(release, user_id, listed, standing)
    if wanted.kind == "campaign":
        return _edited(stored.answer(kept, found.dropped, brief=not wanted.explain), found)
    told = {"experiment": {"name": arm.experiment, "variant": arm.variant} if arm else None}
    body = stored.answer(kept, found.dropped, brief=not wanted.explain, also=told)
    if arm is None:
        return _edited(body, found)
    if not wanted.preview:
        of = release.manifest.release_id
        exposures.note(arm, user_id, surface="recommendations", about=wanted.kind, release_id=of)
    shown = Edited(body)  # which arm it is may change with the day
    shown.edition = None if found.dropped else f"{arm.experiment}.{arm.variant}"
    return shown


def chosen(
    release: OpenRelease, user_id: str, wanted: Wanted, standing: Standing | None
) -> tuple[StoredList, list[int], Leaving]:
    """The prepared list, and which of its places may leave now; raises what `of_user` raises."""
    stored = _stored(release, user_id, wanted.kind)
    ids, places = stored.ids, range(len(stored.ids))
    if wanted.category is not None:
        categories = stored.categories or [None] * len(ids)
        places = [place for place in places if categories[place] == wanted.category]
        ids = [ids[place] for place in places]
    if standing is not None and standing.campaigns_end and wanted.kind == "campaign":
        over = {item: release.ends_on[item] for item in ids if item in release.ends_on}
        facts = replace(standing.facts, ends_on={**over, **standing.facts.ends_on})
        standing = replace(standing, facts=facts)
    found = _leaving(user_id, ids, standing, stored.shown if wanted.limit is None else wanted.limit)
    return stored, [places[at] for at in found.kept], found


def of_users(
    release: OpenRelease,
    user_ids: Sequence[str],
    wanted: Wanted,
    standing: Standing | None,
    exposures: Exposures,
) -> bytes:
    """The lists of several users, each with its answer or its error, in the order of the question."""
    entries = (_entry(release, user, wanted, standing, exposures) for user in user_ids)
    return b'{"items":[%s]}' % b",".join(entries)


def live(
    release: OpenRelease,
    path: LivePath,
    user_id: str,
    message: str,
    limit: int | None,
    standing: Standing | None,
) -> bytes:
    """Recommendations for a message typed now, from the users who wrote the most similar ones.

    `unknown_user` (404), `not_ready` (503) before the encoder is open or while the release was made by
    another one, `invalid_parameter` (422) for a message in which the encoder finds no word.
    """
    _known(release, RECOMMENDATIONS, user_id)
    encoder = path.encoder
    if encoder.name != release.manifest.vectors[MESSAGE_EMBEDDINGS].model:
        raise ApiError("not_ready", part="a release made by the encoder that is set")
    vector = encoder.encode([message])
    if not vector.any():
        problem = {"in": "query", "name": "message", "problem": "must contain words"}
        raise ApiError("invalid_parameter", problems=[problem])
    hits = release.vectors().search(vector, limit=_SIMILAR_MESSAGES)[0]
    neighbours = neighbours_of_messages(hits, user_id=user_id)[: path.neighbours]
    users = [user_id, *(neighbour.user_id for neighbour in neighbours)]
    participation: dict[str, dict[str, float]] = {}
    for part in queries.participation_of_users(release.graph, users):
        participation.setdefault(part.user_id, {})[part.campaign_id] = part.engagement_score
    shown = limit or path.items
    everything = max(shown, len(release.engagement))  # whatever is kept back, enough stand behind it
    answer = rank_campaigns(user_id, neighbours, participation, release.engagement, limit=everything)
    ids = [item.campaign_id for item in answer.items]
    found = _leaving(user_id, ids, standing, shown)
    return _edited(StoredList.read(to_json(answer)).answer(found.kept, found.dropped), found)


def _leaving(user_id: str, ids: Sequence[str], standing: Standing | None, limit: int) -> Leaving:
    if standing is None:
        return Leaving(tuple(range(min(limit, len(ids)))), {})
    return leaving(standing.rules, user_id, ids, standing.facts, limit=limit)


def _edited(body: bytes, found: Leaving) -> bytes:
    return Edited(body) if found.dropped else body


def _arm(release: OpenRelease, user_id: str, wanted: Wanted, standing: Standing | None) -> Assignment | None:
    if standing is None:  # an answer of the past is as the release made it
        return None
    day = standing.facts.today
    return release.experiments.assign(surface="recommendations", about=wanted.kind, user_id=user_id, day=day)


def _stored(release: OpenRelease, user_id: str, kind: str) -> StoredList:
    found = _known(release, _ANSWERS[kind], user_id)
    if kind != "trending" or release.trending is None:
        return StoredList.read(found)
    told, listed = orjson.loads(found), release.trending
    out, own = set(told["out"]), set(told["own"])
    places = [place for place in range(len(listed.items)) if place not in out]
    return StoredList(
        head={**listed.head, "user_id": user_id},
        shown=listed.shown,
        ids=[listed.ids[place] for place in places],
        categories=[listed.categories[place] for place in places],
        text=b"\n".join(
            _bought(listed.items[place]) if place in own else listed.items[place] for place in places
        ),
    )


def _bought(item: bytes) -> bytes:
    return orjson.dumps({**orjson.loads(item), "already_bought": True})


def _entry(
    release: OpenRelease,
    user_id: str,
    wanted: Wanted,
    standing: Standing | None,
    exposures: Exposures,
) -> bytes:
    user, answer, error = orjson.dumps(user_id), b"null", b"null"
    try:
        answer = of_user(release, user_id, wanted, standing, exposures)
    except ApiError as refused:
        error = orjson.dumps({"error_code": refused.code, "message": ERRORS[refused.code].message})
    return b'{"user_id":%s,"answer":%s,"error":%s}' % (user, answer, error)


def _known(release: OpenRelease, kind: str, user_id: str) -> bytes:
    found = release.answer(kind, user_id)
    if found is None:
        raise ApiError("unknown_user", parameter="user_id")
    return found
