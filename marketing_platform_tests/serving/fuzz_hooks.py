"""What schemathesis cannot make from a schema: lines of JSON for the bulk upload."""

from __future__ import annotations

from typing import Any

import orjson
import schemathesis
from hypothesis import strategies as st

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
_interests = st.fixed_dictionaries({"interest": _texts, "strength": st.floats(0, 1)})
_documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"user_id": _texts, "interests": st.lists(_interests, min_size=1, max_size=3)}
)
_lines = st.one_of(_documents.map(orjson.dumps), st.binary(max_size=40))

schemathesis.openapi.media_type(
    "application/x-ndjson", st.lists(_lines, min_size=1, max_size=5).map(b"\n".join)
)
