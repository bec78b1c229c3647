"""`marketing-platform doctor` says what answers, what is wrong and how to mend it, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.diagnosis import Found, Question, diagnose
from marketing_platform_tests.acceptance.installation import Finished, command


def _store(finished: Finished, kind: str) -> dict[str, Any]:
    (found,) = (store for store in finished.document["stores"] if store["kind"] == kind)
    return found


def test_on_one_machine_everything_is_there(tmp_path: Path, models: Path) -> None:
    (tmp_path / "models").symlink_to(models)
    finished = command("doctor", "--json", "--seconds", "60", data_dir=str(tmp_path))
    assert (finished.code, finished.document["ok"], finished.document["warnings"]) == (0, True, [])
    assert _store(finished, "DuckDB")["version"]
    assert "all-MiniLM" in _store(finished, "minilm")["version"]


def test_a_variable_that_nobody_reads_is_told_with_its_likely_name(tmp_path: Path, models: Path) -> None:
    (tmp_path / "models").symlink_to(models)
    finished = command("doctor", "--seconds", "60", data_dir=str(tmp_path), postgres_pasword_file="x")
    assert finished.code == 0
    assert "nobody reads MARKETING_POSTGRES_PASWORD_FILE" in finished.err
    assert "did you mean MARKETING_POSTGRES_PASSWORD_FILE?" in finished.err


def test_mistakes_in_all_settings_are_told_at_once_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret-in-file\n")
    file.chmod(0o644)
    finished = command(
        *("doctor", "--json", "--seconds", "2"),
        data_dir=str(tmp_path),
        profile="servers",
        postgres_port="many",
        postgres_pool_size="0",
        mongo_password="s3cret-in-variable",
        mongo_password_file=str(file),
        neo4j_uri="bolt://graph.example:7687",
        neo4j_password="Neo4j",
        redis_password_file=str(tmp_path / "nowhere"),
    )
    assert finished.code == 1
    told = {store["kind"]: " ".join(store["missing"]) for store in finished.document["stores"]}
    assert "MARKETING_POSTGRES_PORT" in told["PostgreSQL"]
    assert "MARKETING_POSTGRES_POOL_SIZE" in told["PostgreSQL"]
    assert "both given" in told["MongoDB"]
    assert "MARKETING_NEO4J_PASSWORD is refused" in told["Neo4j"]
    assert "MARKETING_REDIS_PASSWORD_FILE" in told["Redis"]
    assert "MARKETING_GCS_BUCKET: Field required" in told["Cloud Storage"]
    assert any("chmod 600" in warning for warning in finished.document["warnings"])
    assert "s3cret" not in finished.out + finished.err


def _gone() -> Found:
    raise StoreUnavailable("gone; start it")


def test_one_that_is_silent_or_gone_does_not_hide_the_others() -> None:
    from threading import Event

    never = Event()
    asked = [
        Question("a", "silent", "", lambda: Found(str(never.wait(30)))),
        Question("b", "gone", "", _gone),
        Question("c", "well", "", lambda: Found("1.0", 0.5)),
    ]
    silent, gone, well = diagnose(asked, seconds=0.5)
    never.set()
    assert (silent.answers, gone.answers, well.answers) == (False, False, True)
    assert "0.5 s" in silent.missing[0]
    assert gone.missing == ("gone; start it",)


@pytest.mark.parametrize("password", ["", "password", "CHANGEME", "minioadmin", "postgres"])
@pytest.mark.parametrize("host", ["db.example", "10.0.0.7"])
def test_a_default_password_is_refused_unless_the_server_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, password: str, host: str
) -> None:
    from marketing_platform.stores.postgres_settings import PostgresSettings
    from marketing_platform.stores.registry import from_environment

    monkeypatch.setenv("MARKETING_POSTGRES_PASSWORD", password)
    monkeypatch.setenv("MARKETING_POSTGRES_HOST", host)
    with pytest.raises(StoreUnavailable, match="MARKETING_POSTGRES_PASSWORD is refused"):
        from_environment(PostgresSettings)
    monkeypatch.setenv("MARKETING_POSTGRES_HOST", "127.0.0.1")
    assert from_environment(PostgresSettings).password is not None
