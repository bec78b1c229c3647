"""The project's own suites, and small canonical tables to judge."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from marketing_platform import catalog
from marketing_platform.gates import Suites, load_suites

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"

Edit = Callable[[list[dict[str, Any]]], None]


@pytest.fixture(scope="session")
def suites() -> Suites:
    return load_suites(EXPECTATIONS)


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, Edit], Path]:
    """A copy of the suites in which the expectations of one suite are changed."""

    def change(suite: str, edit: Edit) -> Path:
        folder = tmp_path / "expectations"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(EXPECTATIONS, folder)
        path = folder / f"{suite}.json"
        document = orjson.loads(path.read_bytes())
        edit(document["expectations"])
        path.write_bytes(orjson.dumps(document))
        return folder

    return change


def typed(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of `table` as the sources hand them over; columns left out are null."""
    schema = catalog.table(table).arrow_schema
    full = [{"batch_id": "b", "row_ordinal": ordinal} | row for ordinal, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=schema)
