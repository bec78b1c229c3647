"""A request is one tree of spans, from the client's to each datastore's; none of them knows a user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.protocols import Graphs
from marketing_platform_tests.serving.conftest import Logged, Platform, await_until, encoder
from serving.app import create_app
from serving.observability import tracing

pytestmark = pytest.mark.slow

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = "b7ad6b7169203331"


class Gone:
    """A graph store that opens and then does not answer."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs

    def open(self, name: str) -> Gone:
        self._reader = self._graphs.open(name)
        return self

    def run(self, query: str, parameters: Any) -> list[dict[str, Any]]:
        raise StoreUnavailable(f"no answer about {parameters}")

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.use(None)


@pytest.fixture
def client(fresh_platform: Platform, spans: InMemorySpanExporter) -> Iterator[TestClient]:
    fresh_platform.publish(1)
    with fresh_platform.client() as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        spans.clear()
        yield opened


def tree(finished: tuple[ReadableSpan, ...]) -> Any:
    """Names of spans below each other; there must be exactly one at the top."""
    ids = {span.context.span_id for span in finished}
    (root,) = [span for span in finished if span.parent is None or span.parent.span_id not in ids]

    def below(span: ReadableSpan) -> Any:
        children = [
            child for child in finished if child.parent and child.parent.span_id == span.context.span_id
        ]
        return {child.name: below(child) for child in sorted(children, key=lambda child: child.start_time)}

    return root, {root.name: below(root)}


def test_a_look_up_is_one_tree(client: TestClient, spans: InMemorySpanExporter) -> None:
    client.get("/api/v1/users/u-1/recommendations", headers={"traceparent": f"00-{_TRACE}-{_PARENT}-01"})
    root, names = tree(spans.get_finished_spans())
    route = "/api/v1/users/{user_id}/recommendations"
    assert names == {f"GET {route}": {"ask recommendations": {"answers get": {}}}}
    assert root.kind is SpanKind.SERVER
    assert f"{root.context.trace_id:032x}" == _TRACE
    assert f"{root.parent.span_id:016x}" == _PARENT
    assert dict(root.attributes) == {
        "url.scheme": "http",
        "http.request.method": "GET",
        "http.route": route,
        "http.response.status_code": 200,
        "marketing.release_id": "r-gen1",
    }


def test_the_live_path_shows_encoder_vectors_and_graph(
    client: TestClient, spans: InMemorySpanExporter
) -> None:
    client.get("/recommendations/u-1?message=my card is lost")
    _, names = tree(spans.get_finished_spans())
    (asked,) = names["GET /recommendations/{user_id}"].items()
    assert asked == (
        "ask live path",
        {"answers get": {}, "encode": {}, "vector search": {}, "graph query": {}},
    )


def test_figures_show_the_warehouse(client: TestClient, spans: InMemorySpanExporter) -> None:
    client.get("/analytics/daily-activity")
    root, names = tree(spans.get_finished_spans())
    assert "warehouse query" in names[root.name]["ask analytics"]
    (query,) = [span for span in spans.get_finished_spans() if span.name == "warehouse query"]
    assert dict(query.attributes) == {"marketing.store": "DuckDBWarehouse"}


def test_a_failure_is_marked_where_it_was(fresh_platform: Platform, spans: InMemorySpanExporter) -> None:
    fresh_platform.publish(1)
    stores = replace(fresh_platform.stores, graphs=Gone(fresh_platform.stores.graphs))  # type: ignore[arg-type]
    app = create_app(fresh_platform.settings, stores=stores, encoder=encoder, poll_seconds=0.02)
    with fresh_platform.client(app) as client:
        spans.clear()
        client.get("/graph/user-campaigns?user_id=u-1")
    marked = {
        span.name: (span.status.status_code, (span.attributes or {}).get("error.type"))
        for span in spans.get_finished_spans()
    }
    assert marked == {
        "graph query": (StatusCode.ERROR, "StoreUnavailable"),
        "ask graph": (StatusCode.ERROR, "StoreUnavailable"),
        "GET /graph/user-campaigns": (StatusCode.ERROR, "503"),
    }


def test_no_span_knows_a_user(client: TestClient, spans: InMemorySpanExporter) -> None:
    for path in (
        "/recommendations/u-1?message=my secret",
        "/recommendations/u-4711",
        "/graph/user-campaigns?user_id=u-1",
        "/analytics/user-engagement?user_id=u-1",
        "/nothing/u-1",
    ):
        client.get(path)
    told = [span.to_json() for span in spans.get_finished_spans()]
    assert len(told) > 12
    for personal in ("u-1", "u-4711", "secret"):
        assert not [span for span in told if personal in span]


def test_the_line_names_the_trace_that_was_made(
    client: TestClient, spans: InMemorySpanExporter, logged: Logged
) -> None:
    client.get("/health/live")
    (span,) = spans.get_finished_spans()
    line = [line for line in logged if line["event"] == "request"][-1]
    assert line["trace_id"] == f"{span.context.trace_id:032x}"


def test_nothing_is_made_unless_the_environment_asks(
    monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    tracing.configure()
    assert not tracing.on()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    tracing.configure()
    assert not tracing.on()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing.configure()
    assert not tracing.on()


_COLLECTED = """
import http.server, os, threading
bodies = []
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "none"
from serving.observability import tracing
end = tracing.configure()
assert tracing.on()
with tracing.span("ask graph"):
    pass
end()
((path, body),) = bodies
assert path == "/v1/traces", path
assert b"ask graph" in body and b"marketing-api" in body
"""


def test_spans_reach_a_collector() -> None:
    done = subprocess.run([sys.executable, "-c", _COLLECTED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_the_extra_it_says_so_and_goes_on() -> None:
    program = (
        "import os, sys; sys.modules['opentelemetry.exporter'] = None\n"
        "os.environ['OTEL_TRACES_EXPORTER'] = 'otlp'\n"
        "from serving.observability import tracing; tracing.configure(); print(tracing.on())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "marketing-platform[tracing]" in done.stdout
