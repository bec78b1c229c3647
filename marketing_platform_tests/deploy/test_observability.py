"""Alerts and dashboard ask for figures that exist, in PromQL that is right.

Read with a parser here; `servers/test_prometheus.py` lets Prometheus itself judge them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

from marketing_platform.ingestion.stream_metrics import ProgressCollector
from marketing_platform.ingestion.streaming import Progress
from marketing_platform.settings import Settings
from marketing_platform.stores import answers_cached
from marketing_platform_tests.deploy.compose import PROJECT
from serving.app import create_app

FOLDER = PROJECT / "deploy" / "observability"
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "rules.yaml").read_text(encoding="utf-8"))
SCRAPE: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
RECORDED = {rule["record"]: rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_SAMPLES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
_FROM_PROMETHEUS = {"up"}


def exposed() -> set[str]:
    """Names of the samples that the API and the consumer expose."""
    assert answers_cached.CachedAnswers, "its figures are declared when it is imported"
    families = [*REGISTRY.collect(), *ProgressCollector(Progress()).collect()]
    return {f"{family.name}{end}" for family in families for end in _SAMPLES.get(family.type, [])}


def selectors(query: str) -> Iterator[Any]:
    """Every selector of a query; ValueError when the query is wrong."""
    found: list[Any] = []

    def look(expression: Any) -> bool:
        if isinstance(expression, promql_parser.VectorSelector):
            found.append(expression)
        elif isinstance(expression, promql_parser.MatrixSelector):
            found.append(expression.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(query), look)
    return iter(found)


def queries() -> dict[str, str]:
    """Every query, by where it stands."""
    rules = {name: rule["expr"] for name, rule in {**ALERTS, **RECORDED}.items()}
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    }
    notes = {note["name"]: note["expr"] for note in DASHBOARD["annotations"]["list"]}
    return {**rules, **panels, **notes}


@pytest.mark.parametrize("where", queries())
def test_every_query_asks_for_what_exists(where: str) -> None:
    # Grafana puts these in.
    query = queries()[where].replace("$__rate_interval", "5m").replace("$job", "marketing-api")
    asked = {selector.name for selector in selectors(query)}
    assert asked
    assert asked <= exposed() | set(RECORDED) | _FROM_PROMETHEUS


def test_a_wrong_query_is_noticed() -> None:
    with pytest.raises(ValueError, match="expected type matrix"):
        list(selectors("rate(marketing_api_requests_total)"))
    assert "marketing_api_request_total" not in exposed()


def test_what_matters_has_an_alert_and_a_panel() -> None:
    matters = {
        "marketing_api_requests_total",
        "marketing_api_request_duration_seconds_bucket",
        "marketing_api_release_age_seconds",
        "marketing_api_release_held_batches",
        "marketing_api_circuit_state",
        "marketing_api_requests_shed_total",
        "marketing_api_security_events_total",
        "marketing_api_event_loop_lag_seconds",
        "marketing_stream_lag",
    }
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    watched = " ".join(rule["expr"] for rule in [*ALERTS.values(), *RECORDED.values()])
    assert not [name for name in matters if name not in shown]
    assert not [name for name in matters if name not in watched]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_happened_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert re.fullmatch(r"Marketing[A-Za-z]+", name)
    assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "action"}
    assert all(text.strip() for text in alert["annotations"].values())


def test_records_are_used_and_named_after_what_they_are() -> None:
    used = " ".join([*(alert["expr"] for alert in ALERTS.values()), json.dumps(DASHBOARD)])
    for name in RECORDED:
        assert re.fullmatch(r"marketing_api:[a-z_]+:[a-z0-9]+_rate\d+[mh]", name)
        assert name in used


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["title"]
    assert "id" not in DASHBOARD, "Grafana gives it one"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDE")[: len(panel["targets"])]
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    asked = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(DASHBOARD)))
    assert asked - {"__rate_interval"} == variables == {"datasource", "job"}


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_brings_a_key_from_a_file(tmp_path: Any) -> None:
    jobs = {job["job_name"]: job for job in SCRAPE["scrape_configs"]}
    api = jobs["marketing-api"]
    assert set(api["authorization"]) == {"type", "credentials_file"}
    assert SCRAPE["rule_files"] == ["rules.yaml"]
    paths = create_app(Settings(data_dir=tmp_path)).openapi()["paths"]  # pyright: ignore[reportCallIssue]
    assert api["metrics_path"] in paths
    asked = {match for rule in ALERTS.values() for match in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert asked <= set(jobs)
