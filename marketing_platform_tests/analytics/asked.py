"""The list of questions (`questions.yaml`), and how an intent compares with what is expected."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from marketing_platform.analytics.kpis import load_registry
from marketing_platform.analytics.questions import Facts, Intent, Parsed, Reader
from marketing_platform_tests.conftest import PROJECT

REGISTRY = load_registry(PROJECT / "kpis")
FACTS = Facts(
    {
        "source": ("ads_spend",),
        "platform": ("Google", "Meta"),
        "account": ("AcctA", "AcctB", "AcctC"),
        "campaign": ("Brand_Search", "Generic_Search", "Prospecting", "Retargeting"),
        "country": ("BR", "CA", "MX", "US"),
        "device": ("Desktop", "Mobile"),
        "channel": (),
    },
    {"ads": (date(2025, 1, 1), date(2025, 6, 30))},
)
READER = Reader(REGISTRY, FACTS)
_QUARTERS = {"Q1": "2025-01-01..2025-03-31", "Q2": "2025-04-01..2025-06-30"}


@dataclass(frozen=True)
class Verdict:
    """What became of a question of the list."""

    question: str
    outcome: str  # right, wrong, declined
    held: bool
    sort: str
    expected: Any
    found: Any


def verdicts() -> list[Verdict]:
    """Every question of the list, asked."""
    listed = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text(encoding="utf-8"))
    return [_verdict(entry) for entry in listed]


def brief(intent: Intent) -> dict[str, Any]:
    """An intent as the list writes it."""
    ranking, against = intent.ranking, intent.comparison
    return {
        "kpis": intent.metrics,
        "by": intent.by,
        "only": {name: set(one.only) for name, one in intent.filters.items() if one.only},
        "never": {name: set(one.never) for name, one in intent.filters.items() if one.never},
        "in": f"{intent.period.first}..{intent.period.last}",
        "against": f"{against.first}..{against.last}" if against else None,
        "order": f"{ranking.order} {ranking.metric}" if ranking else None,
        "limit": ranking.limit if ranking else None,
        "kind": intent.kind if intent.kind in ("why", "share") else None,
        "highlight": {name: set(values) for name, values in intent.highlight.items()},
    }


def _verdict(entry: dict[str, Any]) -> Verdict:
    context = None
    if "after" in entry:
        before = READER.parse(entry["after"])
        assert isinstance(before, Parsed), entry["after"]
        context = before.intent
    found = READER.parse(entry["q"], context=context)
    expected = None if entry.get("declined") else _expected(entry)
    if not isinstance(found, Parsed):
        outcome, shown = "right" if expected is None else "declined", found.reason
    else:
        shown = brief(found.intent)
        outcome = "right" if shown == expected else "wrong"
    return Verdict(entry["q"], outcome, entry.get("held", False), entry["as"], expected, shown)


def _expected(entry: dict[str, Any]) -> dict[str, Any]:
    kpis = entry["kpis"]
    return {
        "kpis": REGISTRY.workspace.overview if kpis == "overview" else tuple(kpis.split()),
        "by": tuple(entry.get("by", "").split()),
        "only": _values(entry.get("only", {})),
        "never": _values(entry.get("never", {})),
        "in": _period(entry["in"]),
        "against": _period(entry["against"]) if "against" in entry else None,
        "order": entry.get("order"),
        "limit": entry.get("limit"),
        "kind": entry.get("kind"),
        "highlight": _values(entry.get("highlight", {})),
    }


def _values(written: dict[str, str]) -> dict[str, set[str]]:
    return {name: set(values.split()) for name, values in written.items()}


def _period(written: Any) -> str:
    text = str(written)
    if text in _QUARTERS:
        return _QUARTERS[text]
    if ".." in text:
        return text
    year, month = (int(part) for part in text.split("-"))
    return f"{text}-01..{text}-{calendar.monthrange(year, month)[1]}"
