"""Documents say what is: links lead somewhere, commands exist, generated pages are up to date."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pytest
import yaml

from marketing_platform.analytics import Aggregate
from marketing_platform.catalog import table
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.pools import stored_in
from marketing_platform.sources import load_sources
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform_tests.conftest import PROJECT
from scripts.reference import FOLDER, commands, pages

DOCUMENTS = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ROOTS = {path.name for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith(".")}
# What the README asks its reader to write.
_MADE_BY_READERS = {"marketing_platform/analytics/aggregates/country_revenue.yaml"}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_generated_reference_is_up_to_date(made: dict[str, str]) -> None:
    stale = [name for name, content in made.items() if _text(FOLDER / name) != content]
    assert not stale, f"run `make reference`; it changes {', '.join(stale)}"


def test_there_is_no_other_page_in_the_reference(made: dict[str, str]) -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(made)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = [target for target in _links(document) if not _exists(document, target)]
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_path_in_it_exists(document: Path) -> None:
    """Paths are code that begins with a folder of the project, such as `serving/app.py`."""
    named = {code.rstrip("/") for code in _CODE.findall(_prose(document)) if _is_path(code)}
    missing = [path for path in sorted(named - _MADE_BY_READERS) if not any(PROJECT.glob(path))]
    assert not missing


def test_every_make_target_in_them_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", _text(PROJECT / "Makefile"), re.MULTILINE))
    named = {name for code in _commands() for name in re.findall(r"\bmake ([a-z][a-z-]*)", code)}
    assert named
    assert named <= targets


def test_every_command_in_them_exists() -> None:
    known = {path for path, _ in commands()}
    groups = {path[:-1] for path in known}
    for code in _commands():
        for words in re.findall(r"\bmarketing-platform((?: [a-z][a-z-]*)+)", code):
            path = ("marketing-platform", *words.split())
            # After a command come its arguments, after a group one of its commands.
            found = path[:2] if path[:2] in known and path[:2] not in groups else path[:3]
            assert found in known, f"`{code}` names no command"


def test_every_option_in_them_exists() -> None:
    options = {
        option for _, command in commands() for parameter in command.params for option in parameter.opts
    }
    for code in _commands():
        if code.startswith("marketing-platform "):
            given = set(re.findall(r"(?<= )--[a-z-]+", code)) - {"--help"}
            assert given <= options, f"`{code}` has an unknown option"


def test_the_readme_names_what_ci_runs() -> None:
    assert "make test" in _text(PROJECT / ".ci" / "run")
    assert "make test" in _text(PROJECT / "README.md")


def test_the_source_of_the_readme_loads(tmp_path: Path) -> None:
    (tmp_path / "my_orders.yaml").write_text(_example("yaml", "source: my_orders"))
    assert [spec.tables.keys() for spec in load_sources(tmp_path)] == [{"purchases"}]


def test_the_aggregate_of_the_readme_gives_its_columns() -> None:
    declared = Aggregate.model_validate(yaml.safe_load(_example("yaml", "table: country_revenue")))
    with duckdb.connect() as connection:
        connection.register("purchases", table("purchases").arrow_schema.empty_table())
        assert connection.sql(declared.query).to_arrow_table().schema == pa.schema(
            [(column.name, column.type.arrow) for column in declared.columns]
        )


def test_the_asset_of_the_readme_is_one() -> None:
    imported = {
        "dg": dg,
        "follow_upstream": follow_upstream,
        "stored_in": stored_in,
        "Select": Select,
        "StoredTable": StoredTable,
    }
    exec(_example("python", "@dg.asset"), imported)
    asset = imported["loyal_customers"]
    assert isinstance(asset, dg.AssetsDefinition)
    assert asset.dependency_keys == {dg.AssetKey("purchases")}


def _example(language: str, beginning: str) -> str:
    """The block of the README that begins so."""
    for fence in _FENCE.findall(_text(PROJECT / "README.md")):
        first, *lines = fence.splitlines()
        body = textwrap.dedent("\n".join(lines[:-1]))
        if first.strip() == f"```{language}" and body.startswith(beginning):
            return body
    raise AssertionError(f"the README has no {language} block that begins with {beginning!r}")


def _commands() -> Iterator[str]:
    """Inline code and lines of fenced blocks: where commands stand."""
    for document in DOCUMENTS:
        content = _text(document)
        for fence in _FENCE.findall(content):
            yield from (line.partition("#")[0].strip() for line in fence.splitlines()[1:-1])
        yield from _CODE.findall(_prose(document))


def _links(document: Path) -> list[str]:
    return [target for target in _LINK.findall(_prose(document)) if "://" not in target]


def _exists(document: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    path = (document.parent / file).resolve() if file else document
    if not path.is_relative_to(PROJECT) or not path.exists():
        return False
    return not anchor or anchor in {_anchor(heading) for heading in _HEADING.findall(_text(path))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _is_path(code: str) -> bool:
    root, slash, _ = code.partition("/")
    return bool(slash) and root in _ROOTS and not re.search(r"[\s<>{}…]", code)


def _prose(document: Path) -> str:
    return _FENCE.sub("", _text(document))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
