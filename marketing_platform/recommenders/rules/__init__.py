"""What marketers declare about recommendations: exclude, cap, boost, pin, hold out, vary.

Declarations are in `rules/recommendations.yaml` (`spec`, `loading`), their order and effect in
`applying`, what is looked at again when an answer leaves in `answering`.
"""

from marketing_platform.recommenders.rules.answering import (
    Leaving,
    LiveFacts,
    leaving,
    rules_of_answers,
)
from marketing_platform.recommenders.rules.applying import apply
from marketing_platform.recommenders.rules.lists import Candidates, Facts, Impressions, Ruled
from marketing_platform.recommenders.rules.loading import load_rules
from marketing_platform.recommenders.rules.spec import Exclude, Kind, Rule, RuleBook, in_order

__all__ = [
    "Candidates",
    "Exclude",
    "Facts",
    "Impressions",
    "Kind",
    "Leaving",
    "LiveFacts",
    "Rule",
    "RuleBook",
    "Ruled",
    "apply",
    "in_order",
    "leaving",
    "load_rules",
    "rules_of_answers",
]
