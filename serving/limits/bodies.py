"""JSON bodies, taken strictly: one meaning, whoever reads it.

`strict_json(Model)` is the dependency of every route that takes a JSON document, and `documented(Model)` its
description for OpenAPI. How long a body may be, and how long it may take, is said by `caps.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from serving.errors import ApiError

DEEPEST = 32  # objects and lists within each other
_Model = TypeVar("_Model", bound=BaseModel)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_UTF8 = frozenset({"utf-8", "utf8"})


def strict_json(model: type[_Model]) -> Callable[[Request], Awaitable[_Model]]:
    """A dependency: the body as `model`.

    Raises (when a request comes):
        ApiError: `unsupported_media_type`; `malformed_json` for what is no JSON in UTF-8 or has more than one
            meaning (see `check`); `invalid_parameter` for JSON that does not fit the model.
    """
    declared = _names(model.model_json_schema())

    async def body(request: Request) -> _Model:
        _require_json(request.headers.get("Content-Type", ""))
        raw = await request.body()
        check(raw)
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            problems = [
                {"in": "body", "name": _place(found["loc"], declared), "problem": _problem(found)}
                for found in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            raise ApiError("invalid_parameter", problems=problems) from None

    return body


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """What `openapi_extra` of a route says about its body; definitions of parts are written out in place.

    The example is the first of those that the model's `json_schema_extra` gives.
    """
    schema = model.model_json_schema()
    example = schema["examples"][0]
    whole = _inlined(schema, schema.pop("$defs", {}))
    content = {"application/json": {"schema": whole, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def check(raw: bytes) -> None:
    """Refuse (`malformed_json`) what is not JSON, or not the same JSON to everybody.

    That is: no UTF-8, a byte order mark, NaN and Infinity, numbers that no double holds, lone surrogates,
    NUL, a key twice in one object, and more than `DEEPEST` levels.
    """
    try:
        document = orjson.loads(
            raw
        )  # knows all but the last three, and takes a quarter of the time of `json`
    except orjson.JSONDecodeError:
        raise ApiError("malformed_json", problem="not JSON in UTF-8 without a byte order mark") from None
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _deeper(document):
        raise ApiError("malformed_json", problem=f"more than {DEEPEST} levels")
    if b"u0000" in raw and _NUL.search(raw):
        raise ApiError("malformed_json", problem="a NUL in a text")
    try:
        _TWICE.decode(raw.decode())
    except (ValueError, RecursionError):
        raise ApiError("malformed_json", problem="a key occurs twice") from None


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError


_TWICE = json.JSONDecoder(object_pairs_hook=_once)


def _deeper(document: Any) -> bool:
    level = [document]
    for _ in range(DEEPEST):
        level = [part for whole in level for part in _parts(whole) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts(whole: Any) -> Any:
    return whole.values() if isinstance(whole, dict) else whole if isinstance(whole, list) else ()


def _require_json(content_type: str) -> None:
    media, _, parameters = content_type.partition(";")
    if media.strip().lower() != "application/json":
        raise ApiError("unsupported_media_type", accepted="application/json")
    name, _, charset = parameters.strip().partition("=")
    if name.lower() == "charset" and charset.strip('"').lower() not in _UTF8:
        raise ApiError("unsupported_media_type", accepted="application/json; charset=utf-8")


def _problem(found: Any) -> str:
    if found["type"] == "union_tag_invalid":  # the one message of pydantic that repeats what was sent
        return "No such kind"
    return found["msg"].removeprefix("Value error, ")


def _place(location: tuple[int | str, ...], declared: frozenset[str]) -> str:
    """Where in the body, without names that the client made up."""
    parts = [str(part) if isinstance(part, int) or part in declared else "…" for part in location]
    return ".".join(parts)


def _names(schema: Any) -> frozenset[str]:
    """Every name of a field in a JSON schema."""
    if isinstance(schema, list):
        return frozenset().union(*(_names(part) for part in schema))
    if not isinstance(schema, dict):
        return frozenset()
    own = frozenset(schema["properties"]) if isinstance(schema.get("properties"), dict) else frozenset()
    return own.union(*(_names(part) for part in schema.values()))


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if reference:
        return _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {name: _inlined(part, definitions) for name, part in schema.items()}
