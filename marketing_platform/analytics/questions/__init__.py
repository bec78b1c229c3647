"""Questions in plain English: a text becomes an intent over KPIs, and the intent an answer to be checked.

The way of a question: `text` (tokens), `dates` and `names` (what stretches of it mean), `lexing` (one meaning
each), `reading` (the part each plays, as `pieces`), `asked_days`, `parsing` and `checking` (an `intent`),
`answers` (figures by `analytics/kpis`, `sentences`, `charts`). What cannot be placed is refused: a wrong
number is worse than none.
"""

from marketing_platform.analytics.questions.answers import Asked, ask
from marketing_platform.analytics.questions.facts import Facts, known_facts
from marketing_platform.analytics.questions.intent import Intent
from marketing_platform.analytics.questions.parsing import Parsed, Reader
from marketing_platform.analytics.questions.refusal import Declined

__all__ = ["Asked", "Declined", "Facts", "Intent", "Parsed", "Reader", "ask", "known_facts"]
