"""A server that speaks MongoDB's wire protocol, from Maven, started by a small Java file."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pymongo

from marketing_platform.stores.mongo_settings import MongoSettings
from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.packages import maven_libraries

_COORDINATES = ["de.bwaldvogel:mongo-java-server-h2-backend:1.47.0"]
# Its own answer to "which version are you" is too old for the client.
_MAIN = """
import de.bwaldvogel.mongo.*;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.util.List;

public class Main {
    public static void main(String[] arguments) {
        MongoVersion version = new MongoVersion() {
            public List<Integer> getVersionArray() { return List.of(5, 0, 0, 0); }
            public int getWireVersion() { return 13; }
        };
        MongoServer server = new MongoServer(new H2Backend(arguments[0]).version(version));
        server.bind("127.0.0.1", Integer.parseInt(arguments[1]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }
}
"""


@contextmanager
def running(folder: Path | None = None, port: int | None = None) -> Generator[Running]:
    """A server; give folder and port to start an older one again with what it held."""
    libraries = maven_libraries("mongo", _COORDINATES)
    with TemporaryDirectory(prefix="marketing-mongo-") as temporary:
        home, port = folder or Path(temporary), port or free_port()
        home.mkdir(parents=True, exist_ok=True)
        main = home / "Main.java"
        main.write_text(_MAIN, encoding="utf-8")
        command = ["java", "-Xmx1g", "-cp", f"{libraries}/*", str(main), str(home / "data.h2"), str(port)]
        endpoint = f"127.0.0.1:{port}"
        with started(command, endpoint=endpoint, folder=home, answers=lambda: _answers(endpoint)) as server:
            yield server


def settings(server: Running, **changed: object) -> MongoSettings:
    """Settings for a database that nobody else uses."""
    given: dict[str, object] = {
        "hosts": server.endpoint,
        "tls": False,
        "database": f"test_{uuid.uuid4().hex[:12]}",
    }
    return MongoSettings.model_validate({**given, **changed})


def _answers(endpoint: str) -> bool:
    with pymongo.MongoClient(endpoint, serverSelectionTimeoutMS=1000) as client:
        client.admin.command("ping")
    return True
