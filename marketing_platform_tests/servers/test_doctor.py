"""`marketing-platform doctor` on running servers: all answer, and one that stopped is the one named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketing_platform_tests.acceptance.installation import Finished, command
from marketing_platform_tests.servers import bigquery, kafka, redis
from marketing_platform_tests.servers.profile import environment, shared_settings
from marketing_platform_tests.servers.shared import shared

_TOPIC = "doctor"


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    """Settings of all servers; BigQuery and a topic of Kafka among them."""
    broker = shared(kafka.running)
    kafka.make_topic(broker, _TOPIC, 1)
    asked = (bigquery.settings(shared(bigquery.running)), kafka.settings(broker, _TOPIC))
    given = environment(*shared_settings().values(), *asked) | {"MARKETING_WAREHOUSE": "bigquery"}
    return {name.removeprefix("MARKETING_").lower(): value for name, value in given.items()}


def asked(data_dir: Path, models: Path, variables: dict[str, str]) -> Finished:
    data_dir.mkdir(exist_ok=True)
    (data_dir / "models").symlink_to(models)
    return command("doctor", "--json", "--seconds", "60", data_dir=str(data_dir), **variables)


def test_every_server_answers_with_its_version(
    tmp_path: Path, models: Path, variables: dict[str, str]
) -> None:
    finished = asked(tmp_path / "data", models, variables)
    stores: list[dict[str, Any]] = finished.document["stores"]
    assert {store["kind"]: store["missing"] for store in stores if store["missing"]} == {}
    assert finished.code == 0
    assert {"PostgreSQL", "MongoDB", "Neo4j", "Milvus", "Redis", "Cloud Storage", "BigQuery", "Kafka"} <= {
        store["kind"] for store in stores
    }
    assert all(store["answers"] for store in stores)


def test_the_one_that_is_gone_is_named_and_the_others_answer(
    tmp_path: Path, models: Path, variables: dict[str, str]
) -> None:
    with redis.running() as gone:
        settings = redis.settings(gone)
    finished = asked(tmp_path / "data", models, {**variables, "redis_port": str(settings.port)})
    silent = [store["kind"] for store in finished.document["stores"] if not store["answers"]]
    assert (finished.code, silent) == (1, ["Redis"])
