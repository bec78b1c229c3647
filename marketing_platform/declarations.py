"""Reads a declaration (one YAML file, one pydantic model) and says exactly where it is wrong.

What may be declared belongs to the models of those who declare, and so do rules across keys; here are
files, line numbers and messages: `file:line: key path: expected …, found …`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from marketing_platform.errors import MarketingPlatformError

Key = str | int
KeyPath = tuple[Key, ...]

# By kind of error; what stands in braces pydantic says of it.
_EXPECTED = {
    "missing": "this key",
    "string_pattern_mismatch": "a name of a-z, 0-9 and _ that begins with a letter",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "date_type": "a date such as 2026-12-24",
    "date_from_datetime_parsing": "a date such as 2026-12-24",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "string_too_short": "some text",
    "too_short": "at least one entry",
    "too_long": "at most {max_length} entries",
    "finite_number": "a number that is not infinite",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
}


class Declared(BaseModel):
    """Base of every part of a declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Problem:
    """Something wrong at a key of a declaration."""

    path: KeyPath
    expected: str
    found: str


@dataclass(frozen=True)
class Choice:
    """A part that is one of several models, by what stands at a key of it."""

    key: str
    models: Mapping[str, type[BaseModel]]


_Model = TypeVar("_Model", bound=Declared)


@dataclass(frozen=True)
class Declaration(Generic[_Model]):
    """One kind of file: its model, what stands where in it, what must hold across keys."""

    model: type[_Model]
    error: type[MarketingPlatformError]
    # The choice or the model at a path; asked only for paths at which there is one.
    part_at: Callable[[KeyPath], Choice | type[BaseModel] | None]
    # What is wrong across keys, from the plain data; the model is None when the shape is wrong already.
    problems: Callable[[Mapping[str, Any], _Model | None], Iterable[Problem]]


def load_declaration(path: Path, kind: Declaration[_Model]) -> _Model:
    """What one file declares.

    Raises:
        MarketingPlatformError: `kind.error` with one line per problem.
    """
    document = _parse(path, kind.error)
    problems = list(document.problems)
    if not isinstance(document.data, Mapping):
        keys, found = ", ".join(_keys_of(kind.model)), show(document.data)
        raise kind.error(f"{path}:1: expected a mapping with the keys {keys}, found {found}")
    try:
        declared = kind.model.model_validate(document.data)
    except ValidationError as error:
        problems += [_explain(detail, document.data, kind) for detail in error.errors()]
        problems += kind.problems(document.data, None)
    else:
        problems += kind.problems(document.data, declared)
        if not problems:
            return declared
    located = sorted({(document.line(problem.path), _sentence(problem)) for problem in problems})
    raise kind.error("\n".join(f"{path}:{line}: {sentence}" for line, sentence in located))


def one_of(name: object, known: Iterable[str]) -> tuple[str, str]:
    """What was expected and what was found, for a name that is not known."""
    known = list(known)
    return f"one of {', '.join(known)}", repr(name) + did_you_mean(name, known)


def repeated(part: str, key: str, names: Iterable[str]) -> Iterator[Problem]:
    """Entries of a list whose `key` says a name that an entry before has."""
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        first = seen.setdefault(name, index)
        if first != index:
            yield Problem((part, index, key), "a name of its own", f"{name!r}, which {part}.{first} has too")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """` (did you mean …?)` when a known word is close, else nothing."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def show(value: Any) -> str:
    """What was found, in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return repr(value)


@dataclass
class _Document:
    """Plain data of a YAML file, and where its keys stand."""

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of the key, or of the nearest key around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _parse(path: Path, error_type: type[MarketingPlatformError]) -> _Document:
    try:
        return _document(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise error_type(
            f"{path}:1: expected UTF-8 text, found the byte {error.object[error.start]:#04x}"
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise error_type(f"{path}:{line}: expected YAML, found a syntax error ({what})") from None
    except YAMLError as error:
        raise error_type(f"{path}:1: expected YAML, found a syntax error ({error})") from None
    except OSError as error:
        raise error_type(f"{path}:1: expected a readable file, found: {error.strerror or error}") from None


@lru_cache(maxsize=256)  # to parse YAML takes far longer than all else; sensors and steps read the same files
def _document(text: str) -> _Document:
    """Never changed once it is made."""
    document = _Document()
    node: Node | None = YAML(typ="safe", pure=True).compose(text)
    document.data = _plain(node, (), document, frozenset()) if node is not None else None
    return document


def _plain(node: Node, path: KeyPath, document: _Document, around: frozenset[int]) -> Any:
    """The node as dict, list or scalar; notes lines, and keys that are written twice."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in around:
        document.problems.append(Problem(path, "a value", "an alias of something around it"))
        return None
    if isinstance(node, MappingNode):
        return _plain_mapping(node, path, document, around | {id(node)})
    if isinstance(node, SequenceNode):
        inside = around | {id(node)}
        return [_plain(item, (*path, index), document, inside) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)  # noqa: S101 -- the three kinds of node there are
    return _scalar(node, path, document)


def _plain_mapping(
    node: MappingNode, path: KeyPath, document: _Document, around: frozenset[int]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        # Keys are text however they are written: `map: {1: view, true: open}`.
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
        inner = (*path, key)
        line = key_node.start_mark.line + 1
        if key in data:
            document.problems.append(Problem(inner, "each key once", f"it again in line {line}"))
            continue
        document.lines[inner] = line
        data[key] = _plain(value_node, inner, document, around)
    return data


def _scalar(node: ScalarNode, path: KeyPath, document: _Document) -> Any:
    constructor = SafeConstructor(loader=YAML(typ="safe", pure=True))
    try:
        return constructor.construct_object(node)
    except (YAMLError, ValueError):
        document.problems.append(Problem(path, "a plain value", f"{node.value!r} with the tag {node.tag}"))
        return node.value


def _explain(detail: Any, data: Any, kind: Declaration[Any]) -> Problem:
    """One error of pydantic in our words."""
    path, found = _follow(detail["loc"], data, kind)
    match detail["type"]:
        case "extra_forbidden":
            return Problem(path, *one_of(path[-1], _keys_of(_model_at(path[:-1], data, kind))))
        case "union_tag_invalid" | "union_tag_not_found":
            choice = kind.part_at(path)
            assert isinstance(choice, Choice)  # noqa: S101 -- pydantic met a choice there
            tag = found.get(choice.key)
            if tag is None:
                return Problem((*path, choice.key), f"one of {', '.join(choice.models)}", "nothing")
            return Problem((*path, choice.key), *one_of(tag, choice.models))
        case "literal_error":
            expected = f"one of {detail['ctx']['expected']}".replace(" or ", ", ")
        case "value_error":
            expected = str(detail["ctx"]["error"])
        case other:
            known = _EXPECTED.get(other)
            expected = known.format_map(detail.get("ctx", {})) if known else str(detail["msg"])
    return Problem(path, expected, show(found))


def _follow(loc: Iterable[Key], data: Any, kind: Declaration[Any]) -> tuple[KeyPath, Any]:
    """The location in the file's own keys (pydantic names what was chosen too) and what stands there."""
    path: KeyPath = ()
    here = data
    skip_to = -1
    for key in loc:
        choice = kind.part_at(path) if skip_to != len(path) else None
        if isinstance(choice, Choice) and key in choice.models:
            skip_to = len(path)
            continue
        path = (*path, key)
        if isinstance(here, Mapping):
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
        else:
            here = None if isinstance(here, Mapping | list) else here
    return path, here


def _model_at(path: KeyPath, data: Any, kind: Declaration[Any]) -> type[BaseModel]:
    part = kind.part_at(path) if path else kind.model
    if isinstance(part, Choice):
        for key in (*path, part.key):
            data = data[key]
        return part.models[data]
    assert part is not None  # noqa: S101 -- pydantic met a model there
    return part


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _sentence(problem: Problem) -> str:
    where = ".".join(str(key) for key in problem.path)
    return f"{where}: expected {problem.expected}, found {problem.found}"
