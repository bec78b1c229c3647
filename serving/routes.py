"""What the API offers, on one page: its routers, and how its description presents them.

What works behind the routes is in `parts.py`; how both are put together is in `app.py`.
"""

from __future__ import annotations

from serving.analytics.endpoints import router as analytics
from serving.audit.endpoints import router as audit
from serving.boards.endpoints import router as boards
from serving.emails.endpoints import unsubscribing
from serving.emails.endpoints import users as emails
from serving.erasures.endpoints import router as erasures
from serving.experiments.endpoints import router as experiments
from serving.features.endpoints import router as features
from serving.files.endpoints import router as files
from serving.graph.endpoints import router as graph
from serving.graph.endpoints import users as profiles
from serving.health.endpoints import router as health
from serving.hooks.endpoints import router as hooks
from serving.kpis.endpoints import router as kpis
from serving.observability.endpoints import router as observability
from serving.quality.endpoints import router as quality
from serving.questions.endpoints import router as questions
from serving.recommendations.endpoints import batches, users
from serving.recommendations.endpoints import router as recommendations
from serving.segments.endpoints import router as segments
from serving.suppressions.endpoints import router as suppressions
from serving.versioned import versioned
from serving.writes.endpoints import router as writes

DESCRIPTION = """
Recommendations, graph and figures of a marketing platform, each from exactly one **release**.

Whoever asks sends an API key, or a token of the issuer that is set: `Authorization: Bearer …`.

Every answer names its `release_id` (also in `X-Release-Id`) and says that the release passed its
gates. Errors share one body: `error_code`, `message`, `details`, `timestamp`, `request_id`.
Answers carry an `ETag`: send it as `If-None-Match` and get 304 until the next release.
"""
TAGS = [
    {
        "name": "recommendations",
        "description": "Who is similar, and which campaigns and products fit: with scores and reasons.",
    },
    {"name": "features", "description": "What models are told about a user, as declared."},
    {"name": "boards", "description": "Vision boards: what a user cares about and may like, as a picture."},
    {"name": "emails", "description": "E-mails made for one user, and the way to want no more of them."},
    {"name": "suppressions", "description": "Items and users that are out of recommendations at once."},
    {"name": "erasure", "description": "Forgetting a user, and the proof of it."},
    {"name": "graph", "description": "What a user took part in, from the knowledge graph."},
    {"name": "analytics", "description": "Figures by user, campaign and day, in pages; KPIs, compared."},
    {"name": "segments", "description": "Declared groups of users, and criteria to be tried."},
    {"name": "experiments", "description": "A/B tests: what arms did, and what follows from it."},
    {"name": "questions", "description": "Questions about KPIs in plain English."},
    {"name": "writes", "description": "What applications write: it lands, and the next release shows it."},
    {"name": "hooks", "description": "Signed calls, to us and from us (see webhooks)."},
    {"name": "audit", "description": "Releases and batches: what landed, what was refused, what serves."},
    {"name": "health", "description": "Whether the API can answer, and how fresh its answers are."},
]
# Erasure is behind what else is below a user's path: an id may contain slashes.
ROUTERS = (
    *(batches, quality, recommendations, users, features, boards, profiles, emails),
    *(writes, files, erasures, suppressions, unsubscribing),
    *(graph, analytics, kpis, experiments, questions, segments, hooks, audit, health, observability),
    *map(versioned, (recommendations, graph, analytics)),
)
