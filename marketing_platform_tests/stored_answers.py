"""Answers of models as the pipeline stores them, for tests without a pipeline before them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from marketing_platform.recommenders.answers import ANSWER_SCHEMA, Answer, to_json
from marketing_platform.recommenders.json_columns import encoded
from marketing_platform.recommenders.prepared import StoredList, stored_lists


def answer_table(answers: Iterable[Answer]) -> pa.Table:
    """Answers as ANSWER_SCHEMA rows, keyed by user id."""
    rows = [{"key": answer.user_id, "answer": to_json(answer)} for answer in answers]
    return pa.Table.from_pylist(rows, ANSWER_SCHEMA)


def with_spares(answers: pa.Table, *, shown: int, categories: Mapping[str, str | None]) -> pa.Table:
    """Answers that are one JSON document each (ANSWER_SCHEMA) in the form with spares behind those shown.

    All have the same fields beside their items; `categories` are by id of the item.
    """
    lists = [StoredList.read(answer) for answer in answers["answer"].to_pylist()]
    ids = [item for one in lists for item in one.ids]
    stored = stored_lists(
        {name: encoded(one.head[name] for one in lists) for one in lists[:1] for name in one.head},
        shown=shown,
        ids=encoded(ids),
        categories=encoded(categories.get(item) for item in ids),
        items=pa.array([item for one in lists for item in one.items], pa.string()),
        sizes=np.asarray([len(one.ids) for one in lists], np.int64),
    )
    return pa.table({"key": answers["key"], "answer": stored}, schema=ANSWER_SCHEMA)
