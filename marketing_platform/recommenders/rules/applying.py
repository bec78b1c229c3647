"""Declared rules applied to what a recommender offers, for all users at once.

The order of evaluation is fixed, whatever order the rules are written in:

1. `holdout`: its users get the popular list instead of their candidates.
2. `exclude`, `frequency_cap`, then (of what the recommender itself scored) `minimum_score` remove.
3. `boost` multiplies scores; several on one item multiply.
4. The list is filled from the first place on: a `pin` at its place, else the best candidate by tier,
   then by relevance and difference from what stands already (`diversity`), that no `at_most` bars.

Users of the holdout only meet stages 1 and 2 without `minimum_score`: an exclusion is a promise,
everything else would make their list a different one from the popular.
"""

from __future__ import annotations

from collections.abc import Sequence

from marketing_platform.recommenders.rules.lists import Candidates, Facts, Ruled
from marketing_platform.recommenders.rules.spec import Rule


def apply(rules: Sequence[Rule], candidates: Candidates, facts: Facts, *, limit: int) -> Ruled:
    """The best `limit` items of each user after all rules, with what each rule did.

    The same arguments give the same lists. A pin stands at its position unless something excludes
    the item for that user; in a list that is too short it is the last.

    Raises:
        InputError: A rule asks for something that `facts` does not know.
    """
    raise NotImplementedError
