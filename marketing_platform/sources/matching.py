"""Which source reads which landed object."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from marketing_platform.errors import SourceError
from marketing_platform.sources.spec import ParquetFormat, SourceSpec

_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", re.DOTALL)


def match_source(specs: Iterable[SourceSpec], object_name: str) -> SourceSpec | None:
    """The source that reads the object `object_name` (path with forward slashes), or None.

    Raises:
        SourceError: Two sources match it.
    """
    found = [spec for spec in specs if any(_matches(spec, pattern, object_name) for pattern in spec.path)]
    if len(found) > 1:
        names = " and ".join(f"{spec.name!r} ({', '.join(spec.path)})" for spec in found)
        raise SourceError(f"{object_name}: matched by the sources {names}; narrow the `path` of all but one")
    return found[0] if found else None


def check_pattern(pattern: str) -> None:
    """Raise `re.error` when the pattern cannot be understood."""
    _compiled(pattern)


def _matches(spec: SourceSpec, pattern: str, object_name: str) -> bool:
    if _compiled(pattern).fullmatch(object_name):
        return True
    if isinstance(spec.format, ParquetFormat) or spec.format.compression == "none":
        return False
    return (
        object_name.endswith(".gz")
        and _compiled(pattern).fullmatch(object_name.removesuffix(".gz")) is not None
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The glob as a regular expression; it may begin in any folder."""
    parts = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(
        parts.get(token) or _class_or_literal(token) for token in _GLOB_TOKEN.findall(pattern.lstrip("/"))
    )
    return re.compile(f"(?:.*/)?{body}", re.DOTALL)


def _class_or_literal(token: str) -> str:
    if len(token) == 1:
        return re.escape(token)
    inside = token[1:-1].replace("\\", "\\\\").replace("^", "\\^")
    # Escape the set operators that `re` warns about and the folder border that globs never cross.
    return f"(?!/)[{'^' + inside[1:] if inside.startswith('!') else inside}]"
