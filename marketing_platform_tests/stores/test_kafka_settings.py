"""Kafka's settings: no secret by default, several topics in one variable, every deadline set."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from marketing_platform.stores.kafka_settings import KafkaSettings


def test_without_credentials_only_an_open_broker_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="MARKETING_KAFKA_USER"):
        KafkaSettings()
    monkeypatch.setenv("MARKETING_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    assert "sasl.password" not in KafkaSettings().client()


def test_the_password_comes_from_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    monkeypatch.setenv("MARKETING_KAFKA_USER", "consumer")
    monkeypatch.setenv("MARKETING_KAFKA_PASSWORD_FILE", str(file))
    assert KafkaSettings().client()["sasl.password"] == "s3cret"
    assert "s3cret" not in repr(KafkaSettings())


@pytest.mark.parametrize("wrong", ["", "..", ".hidden", "a/b", "a,a"])
def test_a_topic_is_a_folder_of_the_landing_zone(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("MARKETING_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    monkeypatch.setenv("MARKETING_KAFKA_TOPICS", "events, shop.purchases")
    assert KafkaSettings().topics == ("events", "shop.purchases")
    monkeypatch.setenv("MARKETING_KAFKA_TOPICS", wrong)
    with pytest.raises(ValidationError, match="topics"):
        KafkaSettings()


def test_the_consumer_neither_commits_nor_resets_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETING_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    given = KafkaSettings().consumer()
    assert given["enable.auto.commit"] is False
    assert given["auto.offset.reset"] == "error"
    assert given["isolation.level"] == "read_committed"
    assert given["max.poll.interval.ms"] >= given["session.timeout.ms"]
