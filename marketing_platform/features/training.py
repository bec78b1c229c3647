"""Training sets: what was known about entities at moments of the past, and nothing from after them.

Each pair of an entity and a moment gets the values that the API would have answered then, had the data
ended there. The query is `queries.py`; vectors are put together by the function that makes `user_vectors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from marketing_platform.errors import InputError
from marketing_platform.features.asking import Ask, end_of_data
from marketing_platform.features.centroids import Texts
from marketing_platform.features.queries import GIVEN_PAIRS, given_pair, unknown_sql, values_sql
from marketing_platform.features.spec import Features

AT = "at"
_CHUNK = 50_000  # pairs of one query


def training_set(
    ask: Ask, declared: Features, pairs: pa.Table, features: Iterable[str] | None = None
) -> pa.Table:
    """The pairs with a column per feature, row by row as they were given.

    Args:
        ask: Answers queries over the tables of one release.
        declared: The features of the entity.
        pairs: The key of the entity (`user_id`, text), `at` (a timestamp; without a zone it is UTC) and
            whatever else is to stay beside the features, such as a label.
        features: Their names; all of them unless given.

    Returns:
        The columns of `pairs`, then the features. A vector is a list of float32, null where nothing
        was written before the moment.

    Raises:
        InputError: No pairs, a column that is missing or called as a feature, a feature or an entity that
            nobody knows, a moment that is missing or later than the data.
    """
    wanted = declared.only(features)
    _check_columns(wanted, pairs)
    keys, moments = pairs[wanted.key].to_pylist(), _moments(pairs)
    _check_pairs(wanted, keys, moments, end_of_data(ask))
    texts = Texts(ask) if wanted.centroids else None
    computed = pa.concat_tables(_computed(ask, wanted, given, texts) for given in _given(keys, moments))
    for feature in wanted.declared:
        pairs = pairs.append_column(feature.name, computed[feature.name])
    return pairs


def _computed(ask: Ask, wanted: Features, given: list[str], texts: Texts | None) -> pa.Table:
    """A column per feature for some of the pairs, in their order."""
    unknown = ask(unknown_sql(wanted), [wanted.of.name], {"pairs": given})
    if unknown.num_rows:
        shown = ", ".join(map(repr, unknown["entity"].to_pylist()))
        raise InputError(
            f"the release knows no {wanted.entity} {shown}; look up {wanted.key} in {wanted.of.name}"
        )
    columns: dict[str, Any] = {}
    if wanted.scalars:
        values = ask(values_sql(wanted, GIVEN_PAIRS), wanted.reads, {"pairs": given})
        columns = {one.name: values[one.name].cast(one.type.arrow) for one in wanted.scalars}
    for one in wanted.centroids:
        assert texts is not None  # noqa: S101 -- there are centroids
        columns[one.name] = texts.centroids(wanted, one, given)
    return pa.table({one.name: columns[one.name] for one in wanted.declared})


def _given(keys: Sequence[str], moments: Sequence[datetime]) -> Iterator[list[str]]:
    """Some of the pairs after the other, as `GIVEN_PAIRS` takes them."""
    for start in range(0, len(keys), _CHUNK):
        some = zip(keys[start : start + _CHUNK], moments[start : start + _CHUNK], strict=True)
        yield [given_pair(number, key, moment) for number, (key, moment) in enumerate(some)]


def _check_columns(wanted: Features, pairs: pa.Table) -> None:
    missing = [name for name in (wanted.key, AT) if name not in pairs.column_names]
    if missing:
        found = ", ".join(pairs.column_names) or "nothing"
        raise InputError(f"no column {' and no column '.join(missing)}; there are: {found}")
    taken = [one.name for one in wanted.declared if one.name in pairs.column_names]
    if taken:
        raise InputError(f"the column {', '.join(taken)} is called as a feature; name it differently")
    if not pairs.num_rows:
        raise InputError(f"no pairs of {wanted.key} and {AT}: give at least one row")


def _moments(pairs: pa.Table) -> list[Any]:
    """The moments in UTC."""
    column = pairs[AT]
    if not pa.types.is_temporal(column.type) or pa.types.is_time(column.type):
        raise InputError(f"{AT} holds {column.type}; give timestamps")
    if getattr(column.type, "tz", None) is None:
        column = column.cast(pa.timestamp("us"), safe=False)
    return column.cast(pa.timestamp("us", tz="UTC"), safe=False).to_pylist()


def _check_pairs(
    wanted: Features, keys: Sequence[str | None], moments: Sequence[datetime | None], end: datetime
) -> None:
    for row, (key, moment) in enumerate(zip(keys, moments, strict=True), start=1):
        if not key or "\x00" in key:
            raise InputError(f"row {row}: {wanted.key} is {key!r}; give the id of a {wanted.entity}")
        if moment is None:
            raise InputError(f"row {row}: {AT} is empty; give the moment that is asked about")
        if moment > end:
            raise InputError(
                f"row {row}: {AT} is {moment.isoformat()}, but the data of the release ends before"
                f" {end.isoformat()}; nothing is known about later"
            )
