"""`experiments/*.yaml`: what is accepted, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.errors import ExperimentError
from marketing_platform.experiments.loading import load_experiments
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.declared import DeclarationsContract, Kind

METRICS = """\
metrics:
  - {metric: purchase, says: Bought., from: purchases, where: {quantity: {at_least: 1}}, better: higher}
  - {metric: left, says: Left., from: events, where: {event_type: unsubscribe}, better: lower}
"""
GOOD = """\
experiment: one
hypothesis: Others buy more.
surface: recommendations
about: product
seed: s
coverage: 0.5
namespace: {id: pages, from: 0.2, to: 0.6}
starts: 2026-11-01
ends: 2026-12-01
control: a
arms:
  - {arm: a, weight: 1, list: product}
  - {arm: b, weight: 3, list: content}
metric: purchase
within_days: 14
guardrails:
  - {metric: left, worse_by: 0.1}
automatic_winner: true
"""


def load(folder: Path) -> object:
    """The folder has metrics already, unless a test spoils them."""
    if not (folder / "metrics.yaml").exists():
        (folder / "metrics.yaml").write_text(METRICS)
    return load_experiments(folder)


class TestExperiments(DeclarationsContract):
    kind = Kind("one.yaml", load, ExperimentError)
    good = GOOD
    spoiled = (
        (
            "experiment: one",
            "experiment: two",
            "1: experiment: expected 'one', as the file is called, found 'two'",
        ),
        ("surface: rec", "surface: bill", "3: surface: expected one of 'recommendations', 'email', found"),
        (
            "about: product",
            "about: produkt",
            "4: about: expected one of product, trending, cross_category, content",
        ),
        ("coverage: 0.5", "coverage: 0", "6: coverage: expected a number above 0, found 0"),
        ("coverage: 0.5", "coverage: 1.5", "6: coverage: expected a number of at most 1, found 1.5"),
        ("to: 0.6", "to: 0.2", "7: namespace.to: expected more than 0.2, found 0.2"),
        ("to: 0.6", "till: 0.6", "7: namespace.till: expected one of id, from, to, found 'till'"),
        ("starts: 2026-11-01", "starts: soon", "8: starts: expected a date such as 2026-12-24, found 'soon'"),
        (
            "ends: 2026-12-01",
            "ends: 2026-10-01",
            "9: ends: expected no day before 2026-11-01, found 2026-10-01",
        ),
        ("control: a", "control: c", "10: control: expected one of a, b, found 'c'"),
        ("arm: b", "arm: a", "13: arms.1.arm: expected a name of its own, found 'a', which arms.0 has too"),
        ("weight: 3", "weight: 0", "13: arms.1.weight: expected a number above 0, found 0"),
        (
            ", list: content",
            "",
            "13: arms.1.list: expected one of product, trending, cross_category, content",
        ),
        ("list: content", "list: campaign", "13: arms.1.list: expected one of product, trending,"),
        ("  - {arm: b, weight: 3, list: content}\n", "", "11: arms: expected at least"),
        (
            "metric: purchase",
            "metric: purchases",
            "14: metric: expected one of purchase, left, found 'purchases' (did",
        ),
        ("within_days: 14", "within_days: 0", "15: within_days: expected a number of at least 1, found 0"),
        (
            "metric: left",
            "metric: gone",
            "17: guardrails.0.metric: expected one of purchase, left, found 'gone'",
        ),
        (
            "{metric: left, worse_by: 0.1}",
            "{metric: purchase, worse_by: 1}",
            "17: guardrails.0.worse_by: expected less",
        ),
        ("automatic_winner: true", "winner: true", "18: winner: expected one of experiment, hypothesis,"),
    )

    def test_a_good_file(self, tmp_path: Path) -> None:
        (one,) = self.kind.load(tmp_path, GOOD).declared.experiments
        assert one.weights == (0.25, 0.75)
        assert one.ranges == ((0, 0.125), (0.25, 0.625))
        assert (one.drawn_by, one.within_days, one.guardrails[0].worse_by) == ("s", 14, 0.1)
        unseeded = self.kind.load(tmp_path, GOOD.replace("seed: s\n", "")).declared.experiments[0]
        assert unseeded.drawn_by == "one"

    def test_arms_of_an_email_name_no_list(self, tmp_path: Path) -> None:
        text = GOOD.replace("surface: recommendations", "surface: email").replace(
            "about: product", "about: hello"
        )
        told = self.kind.errors(tmp_path, text)
        assert "12: arms.0.list: expected no list: templates say what arms look like, found product" in told
        without = text.replace(", list: product", "").replace(", list: content", "")
        assert self.kind.load(tmp_path, without).declared.experiments[0].about == "hello"

    def test_experiments_about_one_thing_at_one_time_share_no_user(self, tmp_path: Path) -> None:
        (tmp_path / "one.yaml").write_text(GOOD)
        other = GOOD.replace("experiment: one", "experiment: two")
        apart = [
            other.replace("from: 0.2, to: 0.6", "from: 0.6, to: 1"),
            other.replace("starts: 2026-11-01\nends: 2026-12-01", "starts: 2026-12-02\nends: 2026-12-03"),
            other.replace("about: product", "about: content"),
        ]
        for text in apart:
            assert len(self.kind.load(tmp_path, text, "two.yaml").declared.experiments) == 2
        for text in (other, other.replace("id: pages", "id: others"), other.replace("to: 0.6", "to: 0.21")):
            told = self.kind.errors(tmp_path, text, "two.yaml")
            assert (
                "7: namespace: expected a part of a namespace that one has no part of, or other days" in told
            )

    def test_every_wrong_file_is_named(self, tmp_path: Path) -> None:
        for name in ("two", "three"):
            (tmp_path / f"{name}.yaml").write_text(GOOD)
        told = self.kind.errors(tmp_path, GOOD)
        assert "two.yaml:1: experiment: expected 'two'" in told
        assert "three.yaml:1: experiment: expected 'three'" in told


class TestMetrics(DeclarationsContract):
    kind = Kind("metrics.yaml", load, ExperimentError)
    good = METRICS
    spoiled = (
        (
            "from: purchases",
            "from: purchase",
            "2: metrics.0.from: expected one of events, exposures, feedback,",
        ),
        ("from: purchases", "from: products", "2: metrics.0.from: expected one of events,"),
        ("quantity:", "amount:", "2: metrics.0.where.amount: expected one of purchase_id,"),
        (
            "at_least: 1",
            "at_least: many",
            "2: metrics.0.where.quantity.at_least: expected a number for quantity",
        ),
        (
            "better: higher",
            "better: more",
            "2: metrics.0.better: expected one of 'higher', 'lower', found 'more'",
        ),
        (
            "metric: left",
            "metric: purchase",
            "3: metrics.1.metric: expected a name of its own, found 'purchase'",
        ),
    )


class TestHoldout(DeclarationsContract):
    kind = Kind("holdout.yaml", load, ExperimentError)
    good = "share: 0.05\nseed: s\n"
    spoiled = (
        ("share: 0.05", "share: 1", "1: share: expected a number below 1, found 1"),
        ("seed: s", "salt: s", "2: salt: expected one of share, seed, found 'salt'"),
    )


def test_without_files_there_are_no_experiments(tmp_path: Path) -> None:
    assert load_experiments(tmp_path / "nothing").declared.experiments == ()


def test_those_of_the_project_are_right() -> None:
    declared = load_experiments(PROJECT_DIR / "experiments").declared
    assert [one.name for one in declared.experiments] == ["product_list"]
    assert declared.metrics.keys() == {"purchase", "return", "click", "dismissal", "unsubscribe"}


@pytest.mark.parametrize("name", ["metrics.yaml", "holdout.yaml"])
def test_what_is_no_experiment_is_not_taken_for_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "metrics.yaml").write_text(METRICS)
    (tmp_path / "holdout.yaml").write_text("share: 0.1\nseed: s\n")
    assert (tmp_path / name).exists()
    assert load_experiments(tmp_path).declared.experiments == ()
