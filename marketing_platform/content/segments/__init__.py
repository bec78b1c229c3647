"""Segments: declared filters over users (`segments/*.yaml`), their members, and lists for ad platforms.

`spec` says what may be declared, `loading` reads it, `queries` makes SQL of it, `export` makes files for
others of its members. The language of conditions is that of rules and features; when members are computed
belongs to `defs/`, how they are served to `serving/segments`.
"""

from marketing_platform.content.segments.loading import load_segments
from marketing_platform.content.segments.spec import Criteria, Segment

__all__ = ["Criteria", "Segment", "load_segments"]
