"""Path patterns of declarations: globs that may begin in any folder. Knows nothing of sources."""

from __future__ import annotations

import re
from functools import cache

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", re.DOTALL)
_WILDCARDS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches(pattern: str, object_name: str) -> bool:
    """Whether the path `object_name` (forward slashes) ends in what `pattern` describes."""
    return compiled(pattern).fullmatch(object_name) is not None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression; `re.error` when it cannot be understood."""
    tokens = _TOKEN.findall(pattern.lstrip("/"))
    body = "".join(_WILDCARDS.get(token) or _class_or_literal(token) for token in tokens)
    return re.compile(f"(?:.*/)?{body}", re.DOTALL)


def _class_or_literal(token: str) -> str:
    if len(token) == 1:
        return re.escape(token)
    negated, inside = token.startswith("[!"), token[1:-1].removeprefix("!")
    # No class reaches across a folder border, and no character but `-` is special in it.
    escaped = re.sub(r"([\\^&~|\[])", r"\\\1", inside)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
