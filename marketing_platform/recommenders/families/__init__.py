"""The families of recommenders. A new one is a module beside the others and a line in `FAMILIES`.

Each is a frozen dataclass of parameters with `fit(training) -> Model` (`protocol.py`). How families are
put together is in `recommenders/hybrid.py`, how they are compared in `recommenders/evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping

from marketing_platform.recommenders.families.content import Content
from marketing_platform.recommenders.families.discovery import Discovery
from marketing_platform.recommenders.families.ease import Ease
from marketing_platform.recommenders.families.evidence import CauseKind, Evidence
from marketing_platform.recommenders.families.ials import IALS
from marketing_platform.recommenders.families.neighbours import ItemNeighbours, UserNeighbours
from marketing_platform.recommenders.families.paths import Paths
from marketing_platform.recommenders.families.popular import Popular, Trending
from marketing_platform.recommenders.families.protocol import Family, Model, Span
from marketing_platform.recommenders.families.repeat import Repeat
from marketing_platform.recommenders.families.rp3beta import RP3Beta
from marketing_platform.recommenders.families.slim import Slim

__all__ = ["FAMILIES", "CauseKind", "Evidence", "Family", "Model", "Span"]

# Under the names that tables, explanations and settings use.
FAMILIES: Mapping[str, type[Family]] = {
    "popular": Popular,
    "trending": Trending,
    "item_neighbours": ItemNeighbours,
    "user_neighbours": UserNeighbours,
    "rp3beta": RP3Beta,
    "ease": Ease,
    "slim": Slim,
    "ials": IALS,
    "content": Content,
    "paths": Paths,
    "repeat": Repeat,
    "discovery": Discovery,
}
