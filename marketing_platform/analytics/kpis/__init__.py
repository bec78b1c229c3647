"""KPIs: what may be asked (`spec`, `loading`), about which days (`periods`), and how it is worked out.

A question (`question`) becomes one query with bound parameters over tables of a release (`compiling`); sums
come back, and ratios, comparisons and rankings are made of them here (`answering`), once for all engines.
What people type belongs to `analytics/questions`, pictures and sentences to those who show answers.
"""

from marketing_platform.analytics.kpis.answering import (
    Answer,
    Ask,
    Coverage,
    Line,
    Value,
    answer,
    coverage_of,
)
from marketing_platform.analytics.kpis.contributions import Contribution, contributions
from marketing_platform.analytics.kpis.loading import load_registry
from marketing_platform.analytics.kpis.periods import Period, Span
from marketing_platform.analytics.kpis.question import Filter, Question
from marketing_platform.analytics.kpis.spec import Kpi, Registry

__all__ = [
    "Answer",
    "Ask",
    "Contribution",
    "Coverage",
    "Filter",
    "Kpi",
    "Line",
    "Period",
    "Question",
    "Registry",
    "Span",
    "Value",
    "answer",
    "contributions",
    "coverage_of",
    "load_registry",
]
