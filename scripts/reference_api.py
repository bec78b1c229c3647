"""The page about the API, from its OpenAPI document; `reference.py` writes it with the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marketing_platform.settings import Settings
from scripts.markdown import code, grid
from serving.app import create_app
from serving.errors import ERRORS

_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "length at least",
    "maxLength": "length at most",
}


def api_page() -> Iterator[str]:
    """Routes, parameters, answers and errors, from the OpenAPI document."""
    document = create_app(Settings.model_construct()).openapi()
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    yield """# API

A running API shows the same at `/docs`, with examples."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from ("", f"## {method.upper()} {path}", "", operation["description"], "")
            yield from _parameters(operation.get("parameters", []))
            yield from _needed(operation.get("security", []))
            if body := operation.get("requestBody"):
                yield from (f"The body is {_schema_name(body)}.", "")
            done = next(said for status, said in operation["responses"].items() if status.startswith("2"))
            yield f"Answers {_schema_name(done)}. Errors: {_error_codes(operation)}."
    yield from ("", "# Answers")
    for name, schema in schemas.items():
        yield from ("", f"## {name}", "", schema.get("description", ""), "")
        fields: Mapping[str, Any] = schema["properties"]
        yield from grid(
            ("field", "type", "meaning"),
            ((f"`{field}`", _type(shape), shape.get("description", "")) for field, shape in fields.items()),
        )
    yield from ("", "# Error codes", "")
    yield from grid(
        ("error_code", "status", "meaning"),
        ((f"`{code}`", str(kind.status), kind.message) for code, kind in ERRORS.items()),
    )


def _parameters(parameters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not parameters:
        return
    yield from grid(
        ("parameter", "in", "type", "default", "meaning"),
        (
            (
                f"`{parameter['name']}`",
                parameter["in"],
                _type(parameter["schema"]),
                "required" if parameter["required"] else str(parameter["schema"].get("default", "")),
                parameter["description"],
            )
            for parameter in parameters
        ),
    )
    yield ""


def _needed(security: Sequence[Mapping[str, Sequence[str]]]) -> Iterator[str]:
    """The scopes that a key or token has to have; any of the ways to send it will do."""
    if security:
        yield f"Needs the scope {code(security[0][next(iter(security[0]))])}."
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    """The type of an OpenAPI schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
    if "$ref" in schema:
        return _link(schema["$ref"])
    if "enum" in schema:
        return code(schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'] if 'items' in schema else schema['prefixItems'][0])}"
    name = str(schema.get("format", schema.get("type", "any")))
    limits = [f"{words} {schema[key]:,}" for key, words in _LIMITS.items() if key in schema]
    return ", ".join([name, *limits])


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _schema_name(response: Mapping[str, Any]) -> str:
    return " or ".join(
        _type(content["schema"]) if media == "application/json" else f"`{media}`"
        for media, content in response["content"].items()
    )


def _error_codes(operation: Mapping[str, Any]) -> str:
    found = (
        code
        for response in operation["responses"].values()
        for code in response.get("content", {}).get("application/json", {}).get("examples", {})
    )
    return code(found)
