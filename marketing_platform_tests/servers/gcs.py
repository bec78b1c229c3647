"""Cloud Storage's JSON API by fake-gcs-server, built by `go install`; objects are files in a folder.

Other than the real one it replaces the target of a copy whatever the preconditions say, and appends a
chunk of a large upload that is sent again.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform_tests.servers.base import CACHE, Running, ServerFailed, free_port, started

_VERSION = "v1.56.1"
_PACKAGE = "github.com/fsouza/fake-gcs-server"


@contextmanager
def running(
    folder: Path | None = None, port: int | None = None, *, in_memory: bool = False
) -> Generator[Running]:
    """A server without authentication; give folder and port to start an older one again.

    Objects that are only kept in memory are landed several times as fast.
    """
    program = _installed()
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="marketing-gcs-") as temporary:
        home = folder or Path(temporary)
        address = f"127.0.0.1:{port}"
        command = [
            *(str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
            *("-backend", "memory" if in_memory else "filesystem", "-filesystem-root", str(home / "objects")),
            *("-public-host", address, "-log-level", "warn"),
        ]
        endpoint = f"http://{address}"
        with started(command, endpoint=endpoint, folder=home, answers=lambda: _answers(endpoint)) as server:
            yield server


def settings(server: Running, **changed: object) -> GcsSettings:
    """Settings for a bucket that is made now and that nobody else uses."""
    bucket = f"marketing-{uuid.uuid4().hex[:12]}"
    client(server).create_bucket(bucket)
    return GcsSettings.model_validate({"endpoint": server.endpoint, "bucket": bucket, **changed})


def client(server: Running) -> Client:
    """A client for the tests themselves."""
    return Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": server.endpoint},
    )


def land(server: Running, bucket: str, contents: Mapping[str, bytes]) -> None:
    """Land many small objects, by their whole names, in a third of the time the client takes."""
    connection = HTTPConnection(server.endpoint.removeprefix("http://"))
    with closing(connection):
        for name, content in contents.items():
            query = urlencode({"uploadType": "media", "name": name})
            connection.request("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", body=content)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()


def _answers(endpoint: str) -> bool:
    with urlopen(f"{endpoint}/_internal/healthcheck", timeout=2) as answer:
        return answer.status == 200


def _installed() -> Path:
    folder = CACHE / f"gcs-{_VERSION}"
    program = folder / "fake-gcs-server"
    if not program.exists():
        # Go renames the finished program into place, so that a killed installation leaves none.
        done = subprocess.run(
            ["go", "install", f"{_PACKAGE}@{_VERSION}"],
            env={**os.environ, "GOBIN": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"go cannot install {_PACKAGE}; is Go on the PATH?\n{done.stderr[-2000:]}")
    return program
