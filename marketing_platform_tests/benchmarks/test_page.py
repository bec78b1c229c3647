"""docs/benchmarks.md: every section belongs to a command, which writes that section and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import (
    analytics,
    content,
    dashboard,
    lookups,
    page,
    pipeline_page,
    recommenders_page,
    scale_page,
    servers_page,
    serving,
    shops,
)
from benchmarks.analytics_clients import Seen
from benchmarks.embedding import EmbeddingFigures
from benchmarks.load import Load
from benchmarks.page import Section, sections, with_section, write
from benchmarks.pairs import Figures
from benchmarks.pipeline import Size
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.benchmarks.made import made_run, made_scaled

_LOAD = Load(requests=10, seconds=1.0, failed=0, p50_ms=1.0, p99_ms=2.0)
_MOVED = Figures("moved", "rows into a store", 1_000, seconds=2.0, reference_seconds=1.0)
_QUALITY = dict.fromkeys(("precision", "recall", "ndcg", "hit_rate", "coverage"), 0.5)
_REPORT = {"held_out": "the last one", "recommenders": {"popular": _QUALITY}, "hybrid": {"repeat": _QUALITY}}
_BOARDS = dict.fromkeys(
    (
        *("boards_per_core_s", "board_cold_p95_ms", "board_cached_p50_ms"),
        *("lookup_p50_ms", "board_cached_ratio"),
    ),
    1.0,
)


def _seen() -> Seen:
    return Seen(2, seconds=[0.1, 0.2, 0.3], started=0.0, ended=5.0)


def _looked_up(users: int) -> lookups.Size:
    each = [lookups.Asked([0.001 * users, 0.002 * users], 0.001) for _ in range(3)]
    return lookups.Size(users, 1_000, *each)


# What each command hands over, of made figures.
WRITERS: dict[Section, Callable[[], None]] = {
    Section.PIPELINE: lambda: pipeline_page.write_section(
        [Size(made_run(), made_run(), 1_000, 34)], EmbeddingFigures(*[1.0] * _fields(EmbeddingFigures))
    ),
    Section.SCALE: lambda: scale_page.write_section(made_run(0.1), [made_scaled(1_000), made_scaled(10_000)]),
    Section.SERVERS: lambda: servers_page.write_section([_MOVED], None),
    Section.RECOMMENDERS: lambda: recommenders_page.write_section([], [], None, load=1.0),
    Section.SHOPS: lambda: shops.write_section([shops.Shop("a shop", made_run(), {"product": _REPORT})]),
    Section.SERVING: lambda: write(
        Section.SERVING, *serving.section([serving.Round(_LOAD, _LOAD, _LOAD)], 100), load=1.0
    ),
    Section.LOOKUPS: lambda: write(
        Section.LOOKUPS, *lookups.section([_looked_up(1), _looked_up(2)], 1), load=1.0
    ),
    Section.FIGURES: lambda: write(Section.FIGURES, *analytics.section([_MOVED], _seen(), 3), load=1.0),
    Section.DASHBOARD: lambda: write(
        Section.DASHBOARD, *dashboard.section([dashboard.Load("new: ?a", 1.0, 2.0, 0.1, 0.2)]), load=1.0
    ),
    Section.CONTENT: lambda: write(Section.CONTENT, *content.section(100.0, _BOARDS), load=1.0),
}


def _fields(kind: type) -> int:
    return len(kind.__dataclass_fields__)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page, somewhere else."""
    path = tmp_path / "benchmarks.md"
    path.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", path)
    return path


def test_every_section_of_the_page_belongs_to_a_command() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    order = [section.heading for section in Section]
    assert [heading for heading in order if heading in sections(text)] == list(sections(text))


@pytest.mark.parametrize("section", Section, ids=lambda section: section.name)
def test_every_section_has_a_command_that_writes_it(section: Section) -> None:
    command = (PROJECT_DIR / "benchmarks" / f"{section.module}.py").read_text(encoding="utf-8")
    assert "--write-docs" in command
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(rf"^{section.target}:.*\n\t@\$\(BIN\)/python -m benchmarks\.(\w+)", makefile, re.M)
    assert recipe is not None
    assert recipe.group(1) == section.module


@pytest.mark.parametrize("section", Section, ids=lambda section: section.name)
def test_a_command_writes_its_section_alone_and_the_same_twice(section: Section, copy: Path) -> None:
    before = sections(copy.read_text(encoding="utf-8"))
    WRITERS[section]()
    once = copy.read_text(encoding="utf-8")
    WRITERS[section]()
    assert copy.read_text(encoding="utf-8") == once
    after = sections(once)
    assert f"python -m benchmarks.{section.module} --write-docs" in after.pop(section.heading)
    before.pop(section.heading, None)
    assert after == before


def test_a_shop_that_is_left_out_keeps_its_figures(copy: Path) -> None:
    before = page.subsections(Section.SHOPS)
    for name in ("one", "another"):
        shops.write_section([shops.Shop(name, made_run(), {})])
    after = page.subsections(Section.SHOPS)
    assert list(after) == sorted([*before, "one", "another"])
    assert before.items() <= after.items()


def test_a_section_that_is_new_takes_its_place() -> None:
    text = with_section("# Benchmarks\n\n## Content\n\nb\n", Section.PIPELINE, "a")
    assert list(sections(text).items()) == [("The pipeline", "a"), ("Content", "b")]


def test_a_section_that_nobody_owns_stays_at_the_end() -> None:
    text = with_section("# Benchmarks\n\n## Notes\n\nby hand\n", Section.CONTENT, "b")
    assert list(sections(text).items()) == [("Content", "b"), ("Notes", "by hand")]


def test_a_section_holds_no_other() -> None:
    with pytest.raises(ValueError, match="begin with ###"):
        with_section("# Benchmarks\n", Section.CONTENT, "fine\n\n## Not fine\n")
