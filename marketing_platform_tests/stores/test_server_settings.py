"""Credentials of Neo4j and Milvus come from the environment or a file and are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.stores.milvus_settings import MilvusSettings
from marketing_platform.stores.neo4j_settings import Neo4jSettings


def test_without_a_password_nobody_is_named():
    assert Neo4jSettings().credentials is None
    assert "token" not in MilvusSettings().connection()


def test_passwords_come_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("s3cret:with colon\n")
    monkeypatch.setenv("MARKETING_NEO4J_PASSWORD_FILE", str(file))
    monkeypatch.setenv("MARKETING_MILVUS_PASSWORD", "s3cret")
    assert Neo4jSettings().credentials == ("neo4j", "s3cret:with colon")
    assert MilvusSettings().connection()["token"] == "root:s3cret"
    assert "s3cret" not in repr(Neo4jSettings()) + repr(MilvusSettings())


def test_tls_is_on_unless_switched_off(monkeypatch: pytest.MonkeyPatch):
    assert MilvusSettings().connection()["uri"].startswith("https://")
    monkeypatch.setenv("MARKETING_MILVUS_TLS", "false")
    monkeypatch.setenv("MARKETING_MILVUS_HOST", "vectors")
    assert MilvusSettings().connection()["uri"] == "http://vectors:19530"
