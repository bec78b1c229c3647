"""Experiments and metrics as tests declare them."""

from __future__ import annotations

from typing import Any

from marketing_platform.experiments.spec import Experiment, Metric

METRICS = {
    "purchase": Metric.model_validate(
        {
            "metric": "purchase",
            "says": "-",
            "from": "purchases",
            "where": {"quantity": {"at_least": 1}},
            "better": "higher",
        }
    ),
    "unsubscribe": Metric.model_validate(
        {
            "metric": "unsubscribe",
            "says": "-",
            "from": "events",
            "where": {"event_type": "unsubscribe"},
            "better": "lower",
        }
    ),
}


def experiment(name: str = "e", **changed: Any) -> Experiment:
    """About an e-mail, in November; one in four gets the first arm, which is control."""
    return Experiment.model_validate(
        {
            "experiment": name,
            "hypothesis": "-",
            "surface": "email",
            "about": "welcome",
            "control": "a",
            "arms": [{"arm": "a", "weight": 1}, {"arm": "b", "weight": 3}],
            "starts": "2026-11-01",
            "ends": "2026-11-30",
            "metric": "purchase",
            "within_days": 7,
            **changed,
        }
    )
