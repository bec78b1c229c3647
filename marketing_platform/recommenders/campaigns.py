"""Which campaigns to recommend to one user, and why: similar users, what they took part in, rank.

The score of campaign c for user u is the engagement of u's similar users, weighted by similarity,
as in user-based collaborative filtering (Resnick et al., GroupLens, 1994):

    score(u, c) = sum over v of sim(u, v) * engagement(v, c)  /  sum over v of sim(u, v)

over the similar users v with sim > 0, those who did not take part included below the line. Only
engagement above zero counts: somebody who unsubscribed is no reason to recommend. Campaigns the
user already took part in rank after all new ones. Without a scored campaign, the campaigns
with the most engagement overall are recommended (`popular`).

This is the path for one user, as the API takes it for a message typed now; the same for all users
at once is in `campaign_batches.py`, and how answers look in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from marketing_platform.recommenders.answers import (
    CampaignItem,
    CampaignRecommendationsAnswer,
    Contribution,
    PathStep,
)
from marketing_platform.stores.protocols import Neighbour

# Ranks compare what is shown: scores that differ only in float noise are equal.
SCORE_DIGITS = 6
NAMED_CONTRIBUTIONS = 3

# Computed for an answer, so it is no relation of the stored graph.
SIMILAR_TO = PathStep(kind="relation", label="SIMILAR_TO", id=None)
SENT = PathStep(kind="relation", label="SENT", id=None)
PARTICIPATED_IN = PathStep(kind="relation", label="PARTICIPATED_IN", id=None)


class SimilarNeighbour(NamedTuple):
    """A user similar to the one asked about, by the mean of all messages or by one message."""

    user_id: str
    similarity: float
    record_id: str | None = None  # the message that is similar to the one typed now


class Taken(NamedTuple):
    """The part of one similar user in one campaign; engagement is above zero."""

    neighbour: SimilarNeighbour
    engagement: float

    @property
    def weight(self) -> float:
        """What it adds to the sum above the line of the score."""
        return self.neighbour.similarity * self.engagement


@dataclass(frozen=True)
class Ranked:
    """A campaign with everything its item needs; `taken` has the largest weights first."""

    campaign_id: str
    score: float
    engagement: float
    already_participated: bool
    taken: Sequence[Taken]

    @property
    def order(self) -> tuple[bool, float, float, str]:
        """Sorts the best first: new to the user, score, overall engagement, name."""
        return (
            self.already_participated,
            -round(self.score, SCORE_DIGITS),
            -self.engagement,
            self.campaign_id,
        )


def neighbours_of_messages(hits: Iterable[Neighbour], *, user_id: str) -> list[SimilarNeighbour]:
    """The users behind similar messages, each with their most similar one, best first.

    `user_id` is who typed the message: what they wrote before makes nobody similar.
    """
    best: dict[str, SimilarNeighbour] = {}
    for hit in hits:
        known = best.get(hit.user_id)
        if hit.user_id != user_id and hit.score > 0 and (known is None or hit.score > known.similarity):
            best[hit.user_id] = SimilarNeighbour(hit.user_id, hit.score, hit.record_id)
    return sorted(best.values(), key=lambda neighbour: (-neighbour.similarity, neighbour.user_id))


def rank_campaigns(
    user_id: str,
    neighbours: Sequence[SimilarNeighbour],
    participation: Mapping[str, Mapping[str, float]],
    engagement: Mapping[str, float],
    *,
    limit: int,
) -> CampaignRecommendationsAnswer:
    """The best `limit` campaigns for a user, explained; empty only when there are no campaigns.

    `participation` holds for each user (the neighbours and `user_id`) the engagement with each
    campaign taken part in; `engagement` the overall engagement with every campaign there is.
    """
    close = [neighbour for neighbour in neighbours if neighbour.similarity > 0]
    own = participation.get(user_id, {})
    taken: dict[str, list[Taken]] = {}
    for neighbour in close:
        for campaign_id, value in participation.get(neighbour.user_id, {}).items():
            if value > 0:
                taken.setdefault(campaign_id, []).append(Taken(neighbour, value))
    similarity = sum(neighbour.similarity for neighbour in close)
    ranked = [
        Ranked(
            campaign_id=campaign_id,
            score=sum(part.weight for part in parts) / similarity,
            engagement=engagement.get(campaign_id, 0.0),
            already_participated=campaign_id in own,
            taken=sorted(parts, key=lambda part: (-part.weight, part.neighbour.user_id)),
        )
        for campaign_id, parts in taken.items()
    ]
    ranked.sort(key=lambda campaign: campaign.order)
    if not ranked:
        return popular_campaigns(user_id, own, engagement, limit=limit)
    return _explained(user_id, ranked[:limit], neighbours=len(close))


def _explained(user_id: str, ranked: Iterable[Ranked], *, neighbours: int) -> CampaignRecommendationsAnswer:
    """Ranked campaigns as an answer; `neighbours` is how many similar users were asked."""
    items = tuple(_item(user_id, campaign, neighbours) for campaign in ranked)
    by_message = any(step.label == "Message" for step in items[0].path)
    return CampaignRecommendationsAnswer(
        user_id=user_id, strategy="similar_messages" if by_message else "similar_users", items=items
    )


def popular_campaigns(
    user_id: str, own: Iterable[str], engagement: Mapping[str, float], *, limit: int
) -> CampaignRecommendationsAnswer:
    """The campaigns with the most engagement of all users, those in `own` last."""
    place = {campaign_id: place for place, campaign_id in enumerate(by_engagement(engagement), start=1)}
    already = place.keys() & set(own)
    ranked = sorted(place, key=lambda campaign_id: (campaign_id in already, place[campaign_id]))
    items = tuple(
        CampaignItem(
            campaign_id=campaign_id,
            score=engagement[campaign_id],
            engagement=engagement[campaign_id],
            already_participated=campaign_id in already,
            reason=_sentence(
                f"Number {place[campaign_id]} of {len(place)} by the engagement of all users, "
                "shown because no similar user took part in a campaign",
                campaign_id in already,
            ),
            contributions=(),
            path=(node("Campaign", campaign_id),),
        )
        for campaign_id in ranked[:limit]
    )
    return CampaignRecommendationsAnswer(user_id=user_id, strategy="popular", items=items)


def by_engagement(engagement: Mapping[str, float]) -> list[str]:
    """Campaigns with the most engagement first."""
    return sorted(engagement, key=lambda campaign_id: (-engagement[campaign_id], campaign_id))


def _item(user_id: str, campaign: Ranked, neighbours: int) -> CampaignItem:
    first = campaign.taken[0].neighbour
    return CampaignItem(
        campaign_id=campaign.campaign_id,
        score=campaign.score,
        engagement=campaign.engagement,
        already_participated=campaign.already_participated,
        reason=reason(
            len(campaign.taken),
            neighbours,
            first.user_id,
            first.similarity,
            already_participated=campaign.already_participated,
            who="similar users" if first.record_id is None else "users who wrote similar messages",
        ),
        contributions=_contributions(campaign.taken),
        path=(
            *_path_to(user_id, first),
            node("User", first.user_id),
            PARTICIPATED_IN,
            node("Campaign", campaign.campaign_id),
        ),
    )


def _path_to(user_id: str, neighbour: SimilarNeighbour) -> tuple[PathStep, ...]:
    user = node("User", user_id)
    if neighbour.record_id is None:
        return (user, SIMILAR_TO)
    # The message typed now is stored nowhere, so it has no identifier.
    return (user, SENT, node("Message", None), SIMILAR_TO, node("Message", neighbour.record_id), SENT)


def reason(
    taken: int,
    neighbours: int,
    closest: str,
    similarity: float,
    *,
    already_participated: bool,
    who: str = "similar users",
) -> str:
    """One sentence: `taken` of `neighbours` users took part, `closest` contributes most."""
    above_all = "," if taken == 1 else ", above all"
    sentence = f"{taken} of {neighbours} {who} took part{above_all} {closest} ({similarity:.0%} similar)"
    return _sentence(sentence, already_participated)


def _sentence(text: str, already_participated: bool) -> str:
    return f"{text}; the user took part before." if already_participated else f"{text}."


def _contributions(taken: Sequence[Taken]) -> tuple[Contribution, ...]:
    """The largest by name, all others as one; shares add up to 1."""
    weight = sum(part.weight for part in taken)
    named = [
        Contribution(
            user_id=part.neighbour.user_id,
            users=1,
            similarity=part.neighbour.similarity,
            engagement=part.engagement,
            share=part.weight / weight,
        )
        for part in taken[:NAMED_CONTRIBUTIONS]
    ]
    others = taken[NAMED_CONTRIBUTIONS:]
    if not others:
        return tuple(named)
    return (
        *named,
        Contribution(
            user_id=None,
            users=len(others),
            similarity=None,
            engagement=sum(part.engagement for part in others),
            share=sum(part.weight for part in others) / weight,
        ),
    )


def node(label: str, identifier: str | None, name: str | None = None) -> PathStep:
    """A step of a path that is a node of the knowledge graph."""
    return PathStep(kind="node", label=label, id=identifier, name=name)
