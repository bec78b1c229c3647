"""n8n from npm, with the project's workflows imported into a PostgreSQL database of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from marketing_platform_tests.servers.base import CACHE, Running, ServerFailed, free_port, started

VERSION = "1.123.81"
_PACKAGE = {
    "name": "n8n-server",
    "private": True,
    "version": "1.0.0",
    "dependencies": {"n8n": VERSION},
    # Versions that the registry of packages has; n8n asks for others by address.
    "overrides": {"xlsx": "0.18.5", "@langchain/langgraph-checkpoint": "1.0.0"},
}


def installed() -> Path:
    """The folder that n8n is installed in, kept between runs; the first time takes minutes."""
    folder = CACHE / f"n8n-{VERSION}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(_PACKAGE), encoding="utf-8")
        command = ["npm", "install", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerFailed(f"npm cannot install n8n:\n{done.stderr[-2000:]}")
        (folder / "complete").touch()
    return folder


@contextmanager
def running(
    postgres: Running,
    *,
    workflows: Path,
    credentials: Sequence[Mapping[str, Any]],
    environment: Mapping[str, str],
) -> Generator[Running]:
    """An n8n whose workflows (every file of a folder) are active; the endpoint is its URL.

    Args:
        postgres: Where its database is made.
        workflows: A folder of exported workflows.
        credentials: As n8n exports them decrypted.
        environment: What workflows read as `$env`.
    """
    program = installed() / "node_modules" / ".bin" / "n8n"
    port, database = free_port(), f"n8n_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres.endpoint} dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with tempfile.TemporaryDirectory(prefix="marketing-n8n-", ignore_cleanup_errors=True) as home:
        settings = {**environment, **_settings(postgres, database, port, home)}
        secrets = Path(home, "credentials.json")
        secrets.write_text(json.dumps(credentials), encoding="utf-8")
        for command in (
            ["import:credentials", f"--input={secrets}"],
            ["import:workflow", "--separate", f"--input={workflows}"],
            ["update:workflow", "--all", "--active=true"],
        ):
            _run(program, command, settings)
        endpoint = f"http://127.0.0.1:{port}"
        with started(
            [str(program), "start"],
            endpoint=endpoint,
            folder=Path(home),
            answers=lambda: _healthy(endpoint),
            environment=settings,
            seconds=240,
        ) as server:
            yield server


def _settings(postgres: Running, database: str, port: int, home: str) -> dict[str, str]:
    parts = dict(part.split("=") for part in postgres.endpoint.split())
    return {
        "HOME": home,
        "N8N_USER_FOLDER": home,
        "N8N_ENCRYPTION_KEY": uuid.uuid4().hex,
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": parts["host"],
        "DB_POSTGRESDB_PORT": parts["port"],
        "DB_POSTGRESDB_USER": parts["user"],
        "DB_POSTGRESDB_PASSWORD": "unused",
        "DB_POSTGRESDB_DATABASE": database,
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_PORT": str(port),
        "N8N_EXPRESSION_ENGINE": "legacy",
        "N8N_RUNNERS_ENABLED": "false",
        "N8N_BLOCK_ENV_ACCESS_IN_NODE": "false",
        "NODE_FUNCTION_ALLOW_BUILTIN": "crypto",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_PERSONALIZATION_ENABLED": "false",
        "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
        "GENERIC_TIMEZONE": "UTC",
    }


def _run(program: Path, command: Sequence[str], settings: Mapping[str, str]) -> None:
    done = subprocess.run(
        [str(program), *command],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode:
        raise ServerFailed(f"n8n {command[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _healthy(endpoint: str) -> bool:
    with urllib.request.urlopen(f"{endpoint}/healthz/readiness", timeout=2) as answer:
        return answer.status == 200
