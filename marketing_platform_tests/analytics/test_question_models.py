"""A language model behind HTTP that answers well, with nonsense, slowly or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.questions import Asked, ask
from marketing_platform.analytics.questions.models import ModelSettings, Understanding, configured_model
from marketing_platform_tests.analytics.asked import READER, REGISTRY
from marketing_platform_tests.analytics.kpi_tables import asking

# The rules know no “dough” and no “tablets”.
QUESTION = "how much dough did we burn on Meta in May?"
GOOD: dict[str, Any] = {
    "metrics": ["spend"],
    "filters": {"platform": {"only": ["meta"]}},
    "period": {"kind": "month", "first": "2025-05-01", "last": "2025-05-31"},
}


class Provider(ThreadingHTTPServer):
    """A stand-in for a provider, on loopback."""

    content: str = ""
    status: int = 200
    pause: float = 0.0
    requests: list[tuple[str, dict[str, Any], str]]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Provider  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        authorization = self.headers.get("Authorization", "")
        self.server.requests.append((self.path, json.loads(body), authorization))
        answer = json.dumps({"choices": [{"message": {"content": self.server.content}}]}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            for piece in (answer[:20], answer[20:]):
                time.sleep(self.server.pause)
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            pass  # nobody waits any more

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    return asking(tmp_path_factory.mktemp("kpis"))


def model(provider: Provider, **given: Any) -> Understanding:
    settings = ModelSettings(  # pyright: ignore[reportCallIssue]
        provider="openai", model="tiny", base_url=provider.url, api_key="k-1", **{"seconds": 1.0, **given}
    )
    found = configured_model(settings)
    assert found is not None
    return found


def put(provider: Provider, run: Ask, text: str = QUESTION, **given: Any) -> Asked:
    return ask(REGISTRY, READER, text, run, model=model(provider, **given))


def test_it_is_off_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETING_QUESTIONS_PROVIDER", raising=False)
    assert configured_model() is None


def test_a_good_answer_is_taken_with_values_as_the_data_writes_them(provider: Provider, run: Ask) -> None:
    provider.content = f"```json\n{json.dumps(GOOD)}\n```"
    asked = put(provider, run)
    assert asked.declined is None
    assert asked.understood_by == "tiny"
    assert asked.interpretation == "Spend, only platform Meta, May 2025"
    path, body, authorization = provider.requests[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer k-1")
    assert body["model"] == "tiny"


def test_it_is_told_nothing_of_the_data(provider: Provider, run: Ask) -> None:
    put(provider, run)
    told = json.dumps(provider.requests[0][1])
    assert '"metrics' in json.dumps(json.loads(told)["messages"][0]["content"]).replace("\\", "")
    for values in READER.facts.values.values():
        assert not any(value in told for value in values if value not in ("Meta", "US", "CA", "BR", "MX"))


def test_rules_come_first(provider: Provider, run: Ask) -> None:
    assert put(provider, run, "spend on Meta in May").understood_by == "rules"
    assert provider.requests == []


NONSENSE = {
    "no json": "I would love to help!",
    "declined": '{"declined": true}',
    "empty": "",
    "a list": "[]",
    "unknown metric": json.dumps({**GOOD, "metrics": ["profit"]}),
    "unknown field": json.dumps({**GOOD, "sql": "SELECT 1"}),
    "unknown dimension": json.dumps({**GOOD, "by": ["users; DROP TABLE x"]}),
    "a value nobody named": json.dumps({**GOOD, "filters": {"platform": {"only": ["Google"]}}}),
    "a value that is not there": json.dumps({**GOOD, "filters": {"platform": {"only": ["dough"]}}}),
    "days to come": json.dumps(
        {**GOOD, "period": {"kind": "year", "first": "2031-01-01", "last": "2031-12-31"}}
    ),
    "backwards": json.dumps(
        {**GOOD, "period": {"kind": "range", "first": "2025-05-31", "last": "2025-05-01"}}
    ),
    "a share of nothing": json.dumps({**GOOD, "share": True}),
}


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_leaves_the_refusal_of_the_rules(content: str, provider: Provider, run: Ask) -> None:
    provider.content = content
    asked = put(provider, run)
    assert asked.declined is not None
    assert "“dough”" in asked.declined.reason
    assert asked.understood_by == "rules"


def test_failures_of_the_provider_do_too(provider: Provider, run: Ask) -> None:
    provider.content, provider.status = json.dumps(GOOD), 500
    assert put(provider, run).declined is not None
    provider.server_close()
    assert put(provider, run).declined is not None


def test_a_slow_answer_is_not_waited_for(provider: Provider, run: Ask) -> None:
    provider.content, provider.pause = json.dumps(GOOD), 0.4
    began = time.perf_counter()
    asked = put(provider, run, seconds=0.5)
    assert asked.declined is not None
    assert time.perf_counter() - began < 2


def test_a_model_needs_a_name() -> None:
    with pytest.raises(ValueError, match="MARKETING_QUESTIONS_MODEL is needed"):
        ModelSettings(provider="gemini")  # pyright: ignore[reportCallIssue]
