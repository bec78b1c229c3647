"""What users did with items that were shown to them, as rules ask it: how often shown, and not wanted.

The queries run over logical tables on every warehouse. What rules make of the answers is in `rules/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from marketing_platform.recommenders.rules import Impressions, Rule
from marketing_platform.recommenders.rules.spec import FrequencyCap
from marketing_platform.recommenders.training import Matrix, places_of

ItemKind = Literal["product", "campaign"]
Ask = Callable[[str], pa.Table]

_SECONDS_PER_DAY = 86_400.0
# Impressions of campaigns are events, whoever told of them; feedback of the API is among those.
_SHOWN: dict[ItemKind, str] = {
    "product": "SELECT user_id, item_id, timestamp FROM feedback"
    " WHERE action = 'impression' AND item_kind = 'product'",
    "campaign": "SELECT user_id, campaign_id AS item_id, timestamp FROM events"
    " WHERE event_type = 'impression'",
}
# A later click or purchase takes a dismissal back; of one moment, the dismissal counts.
_DISMISSED = """
SELECT user_id, item_id FROM feedback WHERE item_kind = '{kind}' AND action <> 'impression'
GROUP BY user_id, item_id
HAVING MAX(CASE WHEN action = 'dismissal' THEN timestamp END) IS NOT NULL AND (
  MAX(CASE WHEN action <> 'dismissal' THEN timestamp END) IS NULL
  OR MAX(CASE WHEN action = 'dismissal' THEN timestamp END)
    >= MAX(CASE WHEN action <> 'dismissal' THEN timestamp END))
ORDER BY user_id, item_id"""


@dataclass(frozen=True)
class ToldByUsers:
    """Over the users and items of a training: rows are users, columns items."""

    shown: Impressions  # in order of row
    dismissed: Matrix  # an entry for what a user does not want to see

    def of_rows(self, rows: np.ndarray) -> ToldByUsers:
        """The same for a run of users, `rows` ascending without gaps."""
        first, end = int(rows[0]), int(rows[-1]) + 1
        kept = slice(*np.searchsorted(self.shown.rows, (first, end)))
        shown = Impressions(
            self.shown.rows[kept] - first, self.shown.columns[kept], self.shown.days_ago[kept]
        )
        return ToldByUsers(shown, self.dismissed[first:end])


def told_by_users(
    ask: Ask, kind: ItemKind, rules: Sequence[Rule], *, users: np.ndarray, items: np.ndarray, now: datetime
) -> ToldByUsers:
    """What the rules need of the tables `feedback` and (for campaigns) `events`.

    Args:
        ask: A query over logical tables.
        kind: What is recommended.
        rules: Their frequency caps say how far back impressions matter.
        users: Ids, ascending: the rows.
        items: Ids, ascending: the columns. Users and items that are not among them are left out.
        now: From when days count back.
    """
    days = max((rule.days for rule in rules if isinstance(rule, FrequencyCap)), default=0.0)
    shown = Impressions(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    if days:
        since = (now - timedelta(days=days)).astimezone(UTC).isoformat()
        recent = f"{_SHOWN[kind]} AND timestamp >= CAST('{since}' AS TIMESTAMP WITH TIME ZONE)"
        found = ask(f"{recent} ORDER BY user_id, item_id, timestamp")
        rows, columns, known = _places(found, users, items)
        moments = pc.cast(found["timestamp"], pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
        ago = np.maximum(now.timestamp() - moments[known], 0) / _SECONDS_PER_DAY
        order = np.argsort(rows, kind="stable")  # the warehouse may sort ids in another way
        shown = Impressions(rows[order], columns[order], ago[order])
    rows, columns, _ = _places(ask(_DISMISSED.format(kind=kind)), users, items)
    dismissed = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(len(users), len(items))
    )
    return ToldByUsers(shown, dismissed)


def _places(
    found: pa.Table, users: np.ndarray, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of what is known, and which entries those are."""
    rows, columns = places_of(found["user_id"], users), places_of(found["item_id"], items)
    known = (rows >= 0) & (columns >= 0)
    return rows[known], columns[known], known
