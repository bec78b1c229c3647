"""Erased users are not shown, in no release: nobody finds them, and what others are told names them not.

Only answers that mention one are read; all others leave as they are.
"""

from __future__ import annotations

from typing import Any

import orjson

from serving.responses import Edited

_SOMEBODY = "another user"


def without(users: frozenset[str], body: bytes) -> bytes:
    """The answer without these users: items about them are left out, and causes stay without a name."""
    named = [user for user in users if orjson.dumps(user)[1:-1] in body]
    if not named:
        return body
    return Edited(orjson.dumps(_masked(orjson.loads(memoryview(body)), frozenset(named))))


def _masked(value: Any, users: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_masked(one, users) for one in value if not _about(one, users)]
    if not isinstance(value, dict):
        return value
    if "nodes" in value and "edges" in value:
        value = _graph_without(value, users)
    found = {name: _masked(each, users) for name, each in value.items()}
    if "share" in found and found.get("user_id") in users:
        found["user_id"] = None
    if found.get("id") in users and "user" in (found.get("kind"), str(found.get("label")).lower()):
        found["id"] = None
    if isinstance(reason := found.get("reason"), str):
        for user in users:
            reason = reason.replace(user, _SOMEBODY)
        found["reason"] = reason
    return found


def _about(one: Any, users: frozenset[str]) -> bool:
    """Whether an entry of a list is one of these users; shares add up, and who is asked for is answered."""
    return isinstance(one, dict) and one.get("user_id") in users and not {"share", "error"} & one.keys()


def _graph_without(graph: dict[str, Any], users: frozenset[str]) -> dict[str, Any]:
    """A profile graph without the nodes of these users, and without what leads to them."""
    gone = {node["id"] for node in graph["nodes"] if node["properties"].get("user_id") in users}
    nodes = [node for node in graph["nodes"] if node["id"] not in gone]
    edges = [edge for edge in graph["edges"] if gone.isdisjoint((edge["source"], edge["target"]))]
    return {**graph, "nodes": nodes, "edges": edges}
