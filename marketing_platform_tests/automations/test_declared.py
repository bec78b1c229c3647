"""What may be declared, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from marketing_platform.automations.declared import Job, load_automations
from marketing_platform.automations.signing import new_secret
from marketing_platform.defs.asked import JOBS
from marketing_platform.errors import AutomationError
from marketing_platform.settings import PROJECT_DIR

_ENDPOINT = "endpoints:\n  - {{name: a, url: '{url}', events: [release.published]}}\n"


def refusal(folder: Path, text: str, **options: list[str]) -> str:
    (folder / "webhooks.yaml").write_text(text)
    with pytest.raises(AutomationError) as caught:
        load_automations(folder, allowed_hosts=options.get("allowed_hosts", []))
    return str(caught.value)


def test_jobs_that_a_call_may_start_have_a_sensor_each() -> None:
    assert get_args(Job) == JOBS


def test_what_comes_with_the_project_tells_nobody() -> None:
    shipped = load_automations(PROJECT_DIR / "automations")
    assert (shipped.endpoints, shipped.hooks) == ((), ())


def test_without_a_file_nothing_is_declared(tmp_path: Path) -> None:
    assert list(load_automations(tmp_path).parties()) == []


def test_the_examples_in_the_file_are_right(tmp_path: Path) -> None:
    lines = (PROJECT_DIR / "automations" / "webhooks.yaml").read_text().splitlines()
    examples = [line[2:] for line in lines[2:] if line.startswith("# ")]
    (tmp_path / "webhooks.yaml").write_text("\n".join(examples))
    found = load_automations(tmp_path)
    assert [party.variable for party in found.parties()] == [
        "MARKETING_WEBHOOK_SECRET_ALERTS",
        "MARKETING_HOOK_SECRET_SHOP_ORDERS",
        "MARKETING_HOOK_SECRET_MAKE_RELEASE",
    ]
    for party in found.parties():
        assert party.variable in "\n".join(examples) or party.name == "make_release"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "https://",
        "example.com",
        "https://user:pass@example.com/",
        "https://example.com/#part",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://example.com:99999/",
    ],
)
def test_urls_that_nothing_is_sent_to(tmp_path: Path, url: str) -> None:
    assert "webhooks.yaml:2: endpoints.0.url: expected a URL" in refusal(tmp_path, _ENDPOINT.format(url=url))


def test_plain_http_where_the_operator_allows_it(tmp_path: Path) -> None:
    (tmp_path / "webhooks.yaml").write_text(_ENDPOINT.format(url="http://n8n.internal:5678/webhook/x"))
    for allowed in ("n8n.internal", "N8N.internal:5678"):
        assert load_automations(tmp_path, allowed_hosts=[allowed]).endpoints
    with pytest.raises(AutomationError):
        load_automations(tmp_path, allowed_hosts=["n8n.internal:1"])


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("{name: a}", "either `land` or `run`"),
        ("{name: a, run: publish, land: 'a_{call}.csv'}", "either `land` or `run`"),
        ("{name: a, run: ingest}", "'publish', 'tune'"),
        ("{name: a, land: orders.csv}", "{call} in it"),
        ("{name: a, land: '../{call}.csv'}", "the name of a file"),
        ("{name: a, land: '/etc/{call}'}", "the name of a file"),
        ("{name: a, land: '.{call}'}", "the name of a file"),
        ("{name: a, land: 'a//{call}'}", "the name of a file"),
        ("{name: A-b, run: publish}", "a name of a-z"),
        ("{name: a, run: publish, secret: x}", "hooks.0.secret"),
    ],
)
def test_hooks_that_are_none(tmp_path: Path, hook: str, expected: str) -> None:
    assert expected in refusal(tmp_path, f"hooks:\n  - {hook}\n")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    twice = _ENDPOINT.format(url="http://example.com") + "hooks:\n" + "  - {name: a, run: publish}\n" * 2
    told = refusal(tmp_path, twice)
    assert "endpoints.0.url" in told
    assert "hooks.1.name: expected a name of its own, found 'a', which hooks.0 has too" in told
    unknown = refusal(tmp_path, _ENDPOINT.format(url="https://x.com").replace("published", "made"))
    assert "'release.published', 'release.blocked', 'batch.quarantined', 'kpi.anomaly'" in unknown


def test_a_secret_is_given_once_by_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "webhooks.yaml").write_text("hooks:\n  - {name: a, run: publish}\n")
    (hook,) = load_automations(tmp_path).hooks
    with pytest.raises(AutomationError, match="MARKETING_HOOK_SECRET_A is not set"):
        hook.keys()
    file, secret = tmp_path / "secret", new_secret()
    monkeypatch.setenv("MARKETING_HOOK_SECRET_A_FILE", str(file))
    with pytest.raises(AutomationError, match="cannot be read"):
        hook.keys()
    file.write_text(f"{secret}\n")
    assert len(hook.keys()) == 1
    file.write_text(f"{new_secret()}\n{secret}\n")
    assert len(hook.keys()) == 2
    monkeypatch.setenv("MARKETING_HOOK_SECRET_A", secret)
    with pytest.raises(AutomationError, match="is set as well as its _FILE"):
        hook.keys()
    monkeypatch.delenv("MARKETING_HOOK_SECRET_A_FILE")
    monkeypatch.setenv("MARKETING_HOOK_SECRET_A", "changeme")
    with pytest.raises(AutomationError, match="MARKETING_HOOK_SECRET_A: expected a secret") as caught:
        hook.keys()
    assert "changeme" not in str(caught.value)
