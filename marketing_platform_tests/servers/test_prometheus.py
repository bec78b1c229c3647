"""Prometheus itself takes the rules, scrapes the API, and answers every query of the dashboard."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from marketing_platform.cli.processes import api_command, wait_for
from marketing_platform.cli.processes import running as processes
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.callers import bearer, new_key
from marketing_platform_tests.deploy.test_observability import ALERTS, FOLDER, RULES, SCRAPE, queries
from marketing_platform_tests.servers import prometheus
from marketing_platform_tests.servers.base import free_port
from marketing_platform_tests.serving.conftest import Platform, await_until


@dataclass(frozen=True)
class Api:
    """Where it is, and a key for it."""

    address: str
    key: str


def _ask(base: str, path: str) -> Any:
    with urllib.request.urlopen(f"{base}{path}", timeout=5) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API over one release, in a process of its own."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("api"))  # pyright: ignore[reportCallIssue]
    Platform(settings, open_stores(settings), open_records(settings).shelf).publish(1)
    port = free_port()
    log = settings.data_dir / "api.log"
    with processes({"api": api_command("127.0.0.1", port)}, settings, log=log) as started:
        wait_for(f"http://127.0.0.1:{port}/health/ready", started["api"], seconds=60)
        yield Api(f"127.0.0.1:{port}", new_key(settings))
    for line in log.read_text().splitlines():
        assert json.loads(line)["event"], line


@pytest.fixture(scope="module")
def server(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes the API every second, as the file says but for that; its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(FOLDER / "rules.yaml", folder)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "metrics-key").write_text(api.key, encoding="utf-8")
    jobs = [job for job in SCRAPE["scrape_configs"] if job["job_name"] == "marketing-api"]
    jobs[0] = {**jobs[0], "static_configs": [{"targets": [api.address]}]}
    often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump({**SCRAPE, "global": often, "scrape_configs": jobs}), encoding="utf-8")
    with prometheus.running(config) as started:
        base = f"http://{started.endpoint}"
        await_until(lambda: _value(base, "marketing_api_release_info") == 1, seconds=30)
        yield base


def _value(base: str, query: str) -> float | None:
    """The sum of what a query finds; None when it finds nothing."""
    answer = _ask(base, f"/api/v1/query?query={quote(query)}")
    assert answer["status"] == "success"
    found = [float(sample["value"][1]) for sample in answer["data"]["result"]]
    return sum(found) if found else None


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "rules.yaml"), ("test", "rules", "rules.test.yaml")]
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    done = prometheus.promtool(*arguments, folder=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_whole_configuration(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "observability")
    secrets = tmp_path / "observability" / "secrets"
    secrets.mkdir()
    (secrets / "metrics-key").write_text("mp_key", encoding="utf-8")
    done = prometheus.promtool("check", "config", "prometheus.yaml", folder=tmp_path / "observability")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_scrapes_the_api(server: str, api: Api) -> None:
    (target,) = _ask(server, "/api/v1/targets")["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    for user in ("u-1", "u-2", "u-3"):
        url = f"http://{api.address}/recommendations/{user}"
        asked = urllib.request.Request(url, headers=bearer(api.key))
        urllib.request.urlopen(asked, timeout=5).close()
    counted = 'sum(marketing_api_requests_total{route="/recommendations/{user_id}",status="200"})'
    await_until(lambda: _value(server, counted) == 3, seconds=10)
    await_until(lambda: _value(server, "marketing_api:failed:ratio_rate5m") == 0, seconds=10)


@pytest.mark.parametrize("where", queries())
def test_every_query_can_be_asked(server: str, where: str) -> None:
    query = queries()[where].replace("$__rate_interval", "1m").replace("$job", "marketing-api")
    _value(server, query)


def test_nothing_alerts_while_all_is_well(server: str) -> None:
    loaded = _ask(server, "/api/v1/rules")["data"]["groups"]
    assert _names(loaded) == _names(RULES["groups"])
    # The release of these tests was made on a day that is long over.
    known = {"MarketingReleaseOld"}
    alerting = {alert["labels"]["alertname"] for alert in _ask(server, "/api/v1/alerts")["data"]["alerts"]}
    assert alerting <= known <= set(ALERTS)


def _names(groups: list[dict[str, Any]]) -> set[str]:
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule.get("name") or rule.get("alert") or rule["record"] for rule in rules}
