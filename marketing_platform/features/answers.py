"""What the API answers about a user's features: the one definition for pipeline, API and OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from marketing_platform.encoders.messages import vector_matrix
from marketing_platform.recommenders.answers import ANSWER_SCHEMA

if TYPE_CHECKING:
    from marketing_platform.features.spec import Features

# Users whose answers are held: with vectors, each takes ten kilobytes of text.
_AT_ONCE = 5_000

Value = bool | int | float | str | tuple[float, ...] | None


class FeaturesAnswer(BaseModel):
    """The features of one user."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    as_of: datetime = Field(
        description="The values are of this moment, the end of the data of the release.",
        examples=["2026-11-20T18:04:12Z"],
    )
    features: Mapping[str, Value] = Field(
        description="By name, as declared; null where nothing is known. Moments and days are ISO 8601 text.",
        examples=[{"orders": 3, "spend": 129.5, "preferred_channel": "email"}],
    )


def feature_answers(
    features: Features, rows: Iterable[pa.Table], vectors: pa.Table, *, dim: int, as_of: datetime
) -> Iterator[pa.Table]:
    """The answer for every user as rows of ANSWER_SCHEMA.

    Args:
        features: What is declared for users.
        rows: Their values now (`user_features`), in chunks.
        vectors: `user_id` and `vector`, for those who have one: the value of every centroid.
        dim: Length of a vector.
        as_of: The moment of the values.
    """
    names = [feature.name for feature in features.declared]
    scalars = [feature.name for feature in features.scalars]
    centroids = dict.fromkeys(feature.name for feature in features.centroids)
    place = {user: row for row, user in enumerate(vectors["user_id"].to_pylist())}
    matrix = vector_matrix(vectors["vector"], dim=dim)
    for chunk in (batch for table in rows for batch in table.to_batches(max_chunksize=_AT_ONCE)):
        keys: list[str] = chunk[features.key].to_pylist()
        columns = {name: chunk[name].to_pylist() for name in scalars}
        answers: list[bytes] = []
        for row, key in enumerate(keys):
            values = {name: column[row] for name, column in columns.items()}
            values |= dict.fromkeys(centroids, matrix[place[key]] if key in place else None)
            document = {"user_id": key, "as_of": as_of, "features": {name: values[name] for name in names}}
            answers.append(_to_json(document))
        yield pa.table({"key": keys, "answer": answers}, schema=ANSWER_SCHEMA)


def _to_json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no value of a feature")
