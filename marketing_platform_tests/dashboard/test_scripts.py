"""What `python -m dashboard` sends to a browser's first visit, over HTTP."""

from __future__ import annotations

import gzip
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dashboard import scripts
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.servers.base import Running, free_port, started

PLAIN = {"Accept-Encoding": "identity"}
ZIPPED = {"Accept-Encoding": "br, gzip"}


@dataclass(frozen=True)
class Served:
    process: Running
    pages: httpx.Client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port, folder = free_port(), tmp_path_factory.mktemp("pages")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as pages:

        def answers() -> bool:
            try:
                return pages.get("/_stcore/health").is_success
            except httpx.HTTPError:
                return False

        command = [sys.executable, "-m", "dashboard", "--port", str(port)]
        environment = {"PYTHONPATH": str(PROJECT_DIR)}
        with started(
            command, endpoint=str(pages.base_url), folder=folder, answers=answers, environment=environment
        ) as process:
            yield Served(process, pages)


def named(document: str, element: str) -> list[str]:
    """What a document asks for by elements of this kind."""
    return re.findall(rf'<{element}[^>]*(?:src|href)="\.(/static/[^"]+)"', document)


def test_a_page_names_what_draws_it_and_everything_of_it_is_there(served: Served) -> None:
    document = served.pages.get("/")
    assert document.headers["Cache-Control"] == "no-cache"
    asked = named(document.text, "script") + named(document.text, "link")
    assert len(asked) == len(set(asked))
    for name in scripts.FIRST_PAGE:
        assert any(Path(path).name.startswith(f"{name}.") for path in asked), name
    sizes = {path: len(served.pages.get(path, headers=ZIPPED).raise_for_status().content) for path in asked}
    imported = {f"/static/js/{path.name}" for path in scripts.drawing(scripts.FIRST_PAGE)}
    assert imported <= set(asked)
    assert sum(sizes.values()) < 5_000_000
    assert "<title>" in served.pages.get("/upload").text, "other pages are Streamlit's business"


def test_scripts_and_styles_go_out_compressed_and_are_what_they_were(served: Served) -> None:
    paths = named(served.pages.get("/").text, "link")
    for path in (next(one for one in paths if one.endswith(end)) for end in (".js", ".css")):
        plain = served.pages.get(path, headers=PLAIN)
        assert "Content-Encoding" not in plain.headers
        with served.pages.stream("GET", path, headers=ZIPPED) as zipped:
            sent = b"".join(zipped.iter_raw())
        assert gzip.decompress(sent) == plain.content
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Cache-Control"] == plain.headers["Cache-Control"]
        assert zipped.headers["Content-Type"].startswith(("text/javascript", "text/css"))
        assert served.pages.head(path, headers=ZIPPED).is_success


@pytest.mark.parametrize("path", ["/static/js/../../../config.py", "/static/js/none.js", "/static/js"])
def test_nothing_else_is_sent_as_a_script(served: Served, path: str) -> None:
    answer = served.pages.get(path, headers=ZIPPED)
    assert "javascript" not in answer.headers.get("Content-Type", "")
    assert "import " not in answer.text[:200]


def test_names_that_streamlit_has_no_more_draw_nothing() -> None:
    assert scripts.drawing(["NoSuchElement"]) == []


def test_it_starts_without_complaint_and_ends_when_told(served: Served) -> None:
    served.process.process.send_signal(signal.SIGTERM)
    # Raised again once everything is closed, if Python has its own handler back by then.
    assert served.process.process.wait(20) in (-signal.SIGTERM, 0)
    assert "warning" not in served.process.log.read_text().lower()
    assert "No runtime found" not in served.process.log.read_text()
