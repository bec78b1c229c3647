"""What is asked of a stored knowledge graph: read-only Cypher, every value a bound parameter.

The text is the same for every engine, so it keeps to what Ladybug and Neo4j share. Asking is all
that happens here; ranking and wording belong to `recommenders` and `serving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketing_platform.stores.protocols import GraphReader

USER_EXISTS = "MATCH (u:User {user_id: $user_id}) RETURN count(u) AS found"

USER_CAMPAIGNS = """
MATCH (u:User {user_id: $user_id})-[p:PARTICIPATED_IN]->(c:Campaign)
RETURN c.campaign_id AS campaign_id, c.name AS name, c.platform AS platform, c.channel AS channel,
       c.category AS category, c.objective AS objective,
       p.events AS events, p.engagement_score AS engagement_score,
       p.first_at AS first_at, p.last_at AS last_at,
       EXISTS { MATCH (u)-[:TARGETED_BY]->(c) } AS targeted
ORDER BY engagement_score DESC, campaign_id
LIMIT $limit
"""

PARTICIPATION_OF_USERS = """
MATCH (u:User)-[p:PARTICIPATED_IN]->(c:Campaign)
WHERE u.user_id IN $user_ids
RETURN u.user_id AS user_id, c.campaign_id AS campaign_id, c.name AS name,
       p.events AS events, p.engagement_score AS engagement_score
ORDER BY user_id, engagement_score DESC, campaign_id
"""

CAMPAIGN_USERS = """
MATCH (u:User)-[p:PARTICIPATED_IN]->(c:Campaign {campaign_id: $campaign_id})
RETURN u.user_id AS user_id, u.name AS name, p.events AS events,
       p.engagement_score AS engagement_score, p.first_at AS first_at, p.last_at AS last_at
ORDER BY engagement_score DESC, user_id
LIMIT $limit
"""

PATH_USER_CAMPAIGN = """
MATCH (u:User {user_id: $user_id})-[:PERFORMED]->(e:Event)-[:PART_OF]->(c:Campaign)
WHERE c.campaign_id = $campaign_id
OPTIONAL MATCH (u)-[:SENT]->(m:Message)
WHERE m.record_id = e.record_id
RETURN e.record_id AS record_id, e.event_type AS event_type, e.timestamp AS timestamp,
       e.channel AS channel, m.text AS text
ORDER BY timestamp DESC, record_id
LIMIT $limit
"""


@dataclass(frozen=True)
class UserCampaign:
    """A campaign as one user met it; `targeted` when it reached the user by itself."""

    campaign_id: str
    name: str | None
    platform: str | None
    channel: str | None
    category: str | None
    objective: str | None
    events: int
    engagement_score: float
    first_at: datetime | None
    last_at: datetime | None
    targeted: bool


@dataclass(frozen=True)
class Participation:
    """One user's part in one campaign."""

    user_id: str
    campaign_id: str
    name: str | None
    events: int
    engagement_score: float


@dataclass(frozen=True)
class CampaignUser:
    """A user as one campaign met them."""

    user_id: str
    name: str | None
    events: int
    engagement_score: float
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class Step:
    """An event that connects a user with a campaign; `text` when the user wrote something."""

    record_id: str
    event_type: str
    timestamp: datetime | None
    channel: str | None
    text: str | None


def user_exists(reader: GraphReader, user_id: str) -> bool:
    """Whether the graph knows the user."""
    return reader.run(USER_EXISTS, {"user_id": user_id})[0]["found"] > 0


def user_campaigns(reader: GraphReader, user_id: str, *, limit: int) -> list[UserCampaign]:
    """The campaigns a user took part in, most engaged first; empty for an unknown user."""
    return [UserCampaign(**row) for row in reader.run(USER_CAMPAIGNS, {"user_id": user_id, "limit": limit})]


def participation_of_users(reader: GraphReader, user_ids: Sequence[str]) -> list[Participation]:
    """Everything the given users took part in, per user the most engaged first."""
    if not user_ids:
        return []
    rows = reader.run(PARTICIPATION_OF_USERS, {"user_ids": list(user_ids)})
    return [Participation(**row) for row in rows]


def campaign_users(reader: GraphReader, campaign_id: str, *, limit: int) -> list[CampaignUser]:
    """The users who took part in a campaign, most engaged first; empty for an unknown campaign."""
    return [
        CampaignUser(**row)
        for row in reader.run(CAMPAIGN_USERS, {"campaign_id": campaign_id, "limit": limit})
    ]


def path_user_campaign(reader: GraphReader, user_id: str, campaign_id: str, *, limit: int) -> list[Step]:
    """How a user is connected with a campaign: events and what was written, newest first."""
    parameters = {"user_id": user_id, "campaign_id": campaign_id, "limit": limit}
    return [Step(**row) for row in reader.run(PATH_USER_CAMPAIGN, parameters)]
