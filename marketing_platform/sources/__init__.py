"""Landed bytes -> raw records -> rows of the canonical tables, as YAML declarations say.

`docs/sources.md` describes the declarations. Rules about values live in `expectations/`, stores in
`stores/`.
"""

from marketing_platform.sources.loading import load_source, load_sources
from marketing_platform.sources.projection import PROBLEMS_SCHEMA, Projection, project
from marketing_platform.sources.reading import read_rows
from marketing_platform.sources.spec import SourceSpec, match_source

__all__ = [
    "PROBLEMS_SCHEMA",
    "Projection",
    "SourceSpec",
    "load_source",
    "load_sources",
    "match_source",
    "project",
    "read_rows",
]
