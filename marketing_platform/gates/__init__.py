"""Gates: what is let through, judged by the Great Expectations suites in `expectations/`.

Row rules send records to quarantine, batch rules hold a batch, table rules block a release.
Rules do not belong here, they live in `expectations/`; what Dagster makes of a verdict lives in
`defs/`. Importing this package does not import Great Expectations.
"""

from marketing_platform.gates.measures import Measure
from marketing_platform.gates.profile import batch_profile, profile_columns, profile_sql
from marketing_platform.gates.rows import PROBLEMS_SCHEMA, RowGate
from marketing_platform.gates.split import Split, split
from marketing_platform.gates.suites import Rule, Suites, load_suites
from marketing_platform.gates.verdicts import (
    DeclaredCheck,
    Verdict,
    declared_checks,
    judge_batch,
    judge_table,
)

__all__ = [
    "PROBLEMS_SCHEMA",
    "DeclaredCheck",
    "Measure",
    "RowGate",
    "Rule",
    "Split",
    "Suites",
    "Verdict",
    "batch_profile",
    "declared_checks",
    "judge_batch",
    "judge_table",
    "load_suites",
    "profile_columns",
    "profile_sql",
    "split",
]
