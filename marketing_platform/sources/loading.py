"""Reads source declarations and says exactly where one is wrong.

The shape of a declaration belongs to `spec.py`; here are files, line numbers and messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from marketing_platform.errors import SourceError
from marketing_platform.sources.consistency import Problem, inconsistencies, one_of
from marketing_platform.sources.spec import FORMATS, ColumnSpec, Declared, SourceSpec, TableSpec

_Key = str | int
_Path = tuple[_Key, ...]

_EXPECTED = {
    "missing": "this key",
    "string_pattern_mismatch": "a name of a-z, 0-9 and _ that begins with a letter",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "string_too_short": "some text",
    "too_short": "at least one entry",
}


def load_sources(directory: Path) -> tuple[SourceSpec, ...]:
    """Every source declared in `directory` (`*.yaml`), in order of file name.

    Raises:
        SourceError: At least one declaration is wrong. The message has one line per problem of every
            file: `file:line: key path: expected …, found …`.
    """
    if not directory.is_dir():
        raise SourceError(f"{directory}: expected a folder of source declarations, found none")
    specs: dict[str, tuple[SourceSpec, Path]] = {}
    problems: list[str] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            spec = load_source(path)
        except SourceError as error:
            problems.append(str(error))
            continue
        if spec.name in specs:
            first = specs[spec.name][1]
            problems.append(
                f"{path}:1: source: expected a name of its own, found {spec.name!r} which {first} has too"
            )
        specs.setdefault(spec.name, (spec, path))
    if problems:
        raise SourceError("\n".join(problems))
    return tuple(spec for spec, _ in specs.values())


def load_source(path: Path) -> SourceSpec:
    """The source declared in one file.

    Raises:
        SourceError: One line per problem.
    """
    document = _parse(path)
    problems = list(document.problems)
    if not isinstance(document.data, Mapping):
        keys = ", ".join(SourceSpec.model_fields)
        found = _show(document.data)
        raise SourceError(f"{path}:1: expected a mapping with the keys {keys}, found {found}")
    try:
        spec = SourceSpec.model_validate(document.data)
    except ValidationError as error:
        problems += [_explain(detail, document.data) for detail in error.errors()]
        problems += inconsistencies(document.data, None)
    else:
        problems += inconsistencies(document.data, spec)
        if not problems:
            return spec
    located = sorted({(document.line(problem.path), _sentence(problem)) for problem in problems})
    raise SourceError("\n".join(f"{path}:{line}: {sentence}" for line, sentence in located))


@dataclass
class _Document:
    """Plain data of a YAML file, and where its keys stand."""

    data: Any = None
    lines: dict[_Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: _Path) -> int:
        """The line of the key, or of the nearest key around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _parse(path: Path) -> _Document:
    document = _Document()
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8-sig"))
        document.data = _plain(node, (), document, frozenset()) if node is not None else None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}:1: expected UTF-8 text, found the byte {error.object[error.start]:#04x}"
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise SourceError(f"{path}:{line}: expected YAML, found a syntax error ({what})") from None
    except YAMLError as error:
        raise SourceError(f"{path}:1: expected YAML, found a syntax error ({error})") from None
    except OSError as error:
        raise SourceError(f"{path}:1: expected a readable file, found: {error.strerror or error}") from None
    return document


def _plain(node: Node, path: _Path, document: _Document, around: frozenset[int]) -> Any:
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
    node: MappingNode, path: _Path, document: _Document, around: frozenset[int]
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


def _scalar(node: ScalarNode, path: _Path, document: _Document) -> Any:
    constructor = SafeConstructor(loader=YAML(typ="safe", pure=True))
    try:
        return constructor.construct_object(node)
    except (YAMLError, ValueError):
        document.problems.append(Problem(path, "a plain value", f"{node.value!r} with the tag {node.tag}"))
        return node.value


def _explain(detail: Any, data: Any) -> Problem:
    """One error of pydantic in our words."""
    path, found = _follow(detail["loc"], data)
    kind = detail["type"]
    match kind:
        case "extra_forbidden":
            return Problem(path, *one_of(path[-1], _model_at(path[:-1], data).model_fields))
        case "union_tag_invalid":
            return Problem((*path, "type"), *one_of(detail["ctx"]["tag"], FORMATS))
        case "union_tag_not_found":
            return Problem((*path, "type"), f"one of {', '.join(FORMATS)}", "nothing")
        case "literal_error":
            expected = f"one of {detail['ctx']['expected']}".replace(" or ", ", ")
        case "value_error":
            expected = str(detail["ctx"]["error"])
        case _:
            expected = _EXPECTED.get(kind, str(detail["msg"]))
    return Problem(path, expected, _show(found))


def _follow(loc: Iterable[_Key], data: Any) -> tuple[_Path, Any]:
    """The location in the file's own keys (pydantic names the chosen format too) and what stands there."""
    path: _Path = ()
    here = data
    for key in loc:
        if path == ("format",) and key in FORMATS:
            continue
        path = (*path, key)
        if isinstance(here, Mapping):
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
        else:
            here = None if isinstance(here, Mapping | list) else here
    return path, here


def _model_at(path: _Path, data: Any) -> type[Declared]:
    if path == ("format",):
        return FORMATS[data["format"]["type"]]
    return {0: SourceSpec, 2: TableSpec, 4: ColumnSpec}[len(path)]


def _sentence(problem: Problem) -> str:
    where = ".".join(str(key) for key in problem.path)
    return f"{where}: expected {problem.expected}, found {problem.found}"


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return repr(value)
