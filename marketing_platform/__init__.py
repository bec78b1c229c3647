"""A marketing personalization platform as one Dagster asset graph.

Start reading at `definitions.py` (what the code location offers); `docs/architecture.md` has the
picture. Only `definitions.py` and `defs/` import dagster.
"""

__version__ = "0.1.0"
