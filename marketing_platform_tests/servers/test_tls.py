"""Encrypted and authenticated connections: the right ones work, every wrong one says what is wrong.

PostgreSQL and Redis speak TLS and ask for a password themselves. The stand-ins of MongoDB, Milvus and Neo4j
are started without; what their clients verify is tried against a terminator of TLS in front of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores import (
    milvus_diagnosis,
    mongo_diagnosis,
    neo4j_diagnosis,
    postgres_diagnosis,
    redis_diagnosis,
)
from marketing_platform.stores.diagnosis import Found
from marketing_platform_tests.servers import certificates, milvus, mongo, neo4j, postgres, redis
from marketing_platform_tests.servers.base import end, free_port, started
from marketing_platform_tests.servers.certificates import Certificates
from marketing_platform_tests.servers.shared import shared

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def _postgres(stack: ExitStack, certificate: tuple[Path, Path]) -> Callable[..., Found]:
    home = stack.enter_context(postgres.home())
    with (
        postgres.running(home) as server,
        psycopg.connect(f"{server.endpoint} dbname=marketing") as connection,
    ):
        connection.execute("SET password_encryption = 'scram-sha-256'")
        connection.execute(f"CREATE ROLE marketing LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute("GRANT CREATE ON DATABASE marketing TO marketing")
        connection.commit()
        plain = server.process
    end(plain)
    chain, key = (
        Path(shutil.copy(file, home / name))
        for file, name in zip(certificate, ("s.pem", "s.key"), strict=True)
    )
    for file in (chain, key):
        file.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(file, "postgres", "postgres")
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write(f"\nssl = on\nssl_cert_file = '{chain}'\nssl_key_file = '{key}'\n")
    (home / "data" / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nhostssl all marketing all scram-sha-256\n"
    )
    server = stack.enter_context(postgres.running(home))

    def ask(**changed: Any) -> Found:
        given = {"host": "localhost", "user": "marketing", "password": PASSWORD, "tls": True, **changed}
        return postgres_diagnosis.diagnose(postgres.settings(server, **given))

    return ask


def _redis(stack: ExitStack, certificate: tuple[Path, Path]) -> Callable[..., Found]:
    chain, key = certificate
    port = free_port()
    command = [
        *("redis-server", "--bind", "127.0.0.1", "--port", "0", "--tls-port", str(port), "--save", ""),
        *("--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(chain)),
        *("--tls-auth-clients", "no", "--user", "default", "off"),
        *(
            "--user",
            "marketing",
            "on",
            f">{PASSWORD.replace(' ', '-')}",
            "~answers:*",
            "~fetching:*",
            "~limits:*",
            "+@all",
        ),
    ]
    log = chain.parent / f"redis-{port}"
    server = stack.enter_context(
        started(
            command,
            endpoint=f"127.0.0.1:{port}",
            folder=log,
            answers=lambda: "Ready" in (log / "server.log").read_text(),
        )
    )

    def ask(**changed: Any) -> Found:
        given = {
            "host": "localhost",
            "user": "marketing",
            "password": PASSWORD.replace(" ", "-"),
            "tls": True,
        }
        return redis_diagnosis.diagnose(redis.settings(server, connect_seconds=1.0, **{**given, **changed}))

    return ask


def _terminated(stack: ExitStack, certificate: tuple[Path, Path], endpoint: str) -> int:
    port = int(endpoint.rpartition(":")[2])
    return stack.enter_context(certificates.terminating_tls(("127.0.0.1", port), certificate))


def _mongo(stack: ExitStack, certificate: tuple[Path, Path]) -> Callable[..., Found]:
    server = shared(mongo.running)
    port = _terminated(stack, certificate, server.endpoint)

    def ask(*, host: str = "localhost", **changed: Any) -> Found:
        given = {"hosts": f"{host}:{port}", "tls": True, "connect_seconds": 2.0, **changed}
        return mongo_diagnosis.diagnose(mongo.settings(server, **given))

    return ask


def _neo4j(stack: ExitStack, certificate: tuple[Path, Path]) -> Callable[..., Found]:
    port = _terminated(stack, certificate, shared(neo4j.running).endpoint)

    def ask(*, host: str = "localhost", **changed: Any) -> Found:
        return neo4j_diagnosis.diagnose(
            neo4j.settings(f"bolt://{host}:{port}", **{"tls": True, "read_seconds": 30, **changed})
        )

    return ask


def _milvus(stack: ExitStack, certificate: tuple[Path, Path]) -> Callable[..., Found]:
    port = _terminated(stack, certificate, shared(milvus.running).endpoint)

    def ask(*, host: str = "localhost", **changed: Any) -> Found:
        return milvus_diagnosis.diagnose(milvus.settings(f"{host}:{port}", **{"tls": True, **changed}))

    return ask


_KINDS = {"postgres": _postgres, "redis": _redis, "mongo": _mongo, "neo4j": _neo4j, "milvus": _milvus}


@contextmanager
def _encrypted(kind: str, certificate: tuple[Path, Path]) -> Iterator[Callable[..., Found]]:
    with ExitStack() as stack:
        yield _KINDS[kind](stack, certificate)


@pytest.fixture(scope="module", params=_KINDS)
def ask(request: pytest.FixtureRequest, made: Certificates) -> Iterator[Callable[..., Found]]:
    with _encrypted(request.param, made.server("valid")) as ask:
        yield ask


def test_who_trusts_the_authority_gets_in(ask: Callable[..., Found], made: Certificates) -> None:
    assert ask(ca_file=made.ca).missing == ()


def test_a_certificate_of_somebody_else_is_refused(ask: Callable[..., Found], made: Certificates) -> None:
    with pytest.raises(StoreUnavailable, match=r"(?i)certificate|ssl|tls"):
        ask(ca_file=made.stranger)


def test_a_certificate_for_another_name_is_refused(ask: Callable[..., Found], made: Certificates) -> None:
    with pytest.raises(StoreUnavailable, match=r"(?i)match|certificate|ssl|tls|peer name"):
        ask(ca_file=made.ca, host="127.0.0.1")


@pytest.mark.parametrize("kind", _KINDS)
def test_an_expired_certificate_is_refused(kind: str, made: Certificates) -> None:
    with (
        _encrypted(kind, made.server("expired")) as ask,
        pytest.raises(StoreUnavailable, match=r"(?i)expired|ssl|tls"),
    ):
        ask(ca_file=made.ca)


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_wrong_password_is_refused_and_not_repeated(kind: str, made: Certificates) -> None:
    with (
        _encrypted(kind, made.server("valid")) as ask,
        pytest.raises(StoreUnavailable, match="password") as refusal,
    ):
        ask(ca_file=made.ca, password="wrong-horse")
    assert "wrong-horse" not in str(refusal.value)


def test_a_plain_server_is_not_talked_to_where_tls_is_wanted(made: Certificates) -> None:
    settings = postgres.settings(shared(postgres.running), tls=True, ca_file=made.ca, password=PASSWORD)
    with pytest.raises(StoreUnavailable, match="does not support SSL"):
        postgres_diagnosis.diagnose(settings)
