"""Neo4j Community 5.26 from Maven, started in a Java process of its own by the few lines below."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from neo4j import GraphDatabase

from marketing_platform.stores.neo4j_settings import Neo4jSettings
from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.packages import maven_libraries

_VERSION = "5.26.12"
_STARTER = """\
import java.nio.file.Path;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

public class Neo4jServer {
    public static void main(String[] arguments) {
        var address = new SocketAddress("127.0.0.1", Integer.parseInt(arguments[1]));
        var service = new DatabaseManagementServiceBuilder(Path.of(arguments[0]))
            .setConfig(BoltConnector.enabled, true)
            .setConfig(BoltConnector.listen_address, address)
            .build();
        Runtime.getRuntime().addShutdownHook(new Thread(service::shutdown));
    }
}
"""
_OPENED = ("--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED")


@contextmanager
def running(folder: Path | None = None, port: int | None = None) -> Generator[Running]:
    """A server without authentication; give folder and port to start an older one again."""
    libraries = maven_libraries(
        f"neo4j-{_VERSION}", [f"org.neo4j:neo4j:{_VERSION}", f"org.neo4j:neo4j-bolt:{_VERSION}"]
    )
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="marketing-neo4j-") as temporary:
        home = folder or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        starter = home / "Neo4jServer.java"
        starter.write_text(_STARTER, encoding="utf-8")
        command = [
            *("java", "-Xmx512m", "-XX:+UseSerialGC", *_OPENED, "-cp", str(libraries / "*")),
            *(str(starter), str(home / "database"), str(port)),
        ]
        endpoint = f"bolt://127.0.0.1:{port}"
        with started(command, endpoint=endpoint, folder=home, answers=lambda: _answers(endpoint)) as server:
            yield server


def settings(endpoint: str, **changed: object) -> Neo4jSettings:
    """Settings for a server of this module."""
    return Neo4jSettings.model_validate({"uri": endpoint, "tls": False, "pool_size": 4, **changed})


def emptied(given: Neo4jSettings) -> Neo4jSettings:
    """The same settings, once everything in the database is gone."""
    with GraphDatabase.driver(given.uri) as driver:
        for record in driver.execute_query("SHOW CONSTRAINTS YIELD name").records:
            driver.execute_query(f"DROP CONSTRAINT `{record['name']}`")
        driver.execute_query("MATCH (n) DETACH DELETE n")
    return given


def _answers(endpoint: str) -> bool:
    with GraphDatabase.driver(endpoint, connection_timeout=2, connection_acquisition_timeout=2) as driver:
        driver.verify_connectivity()
    return True
