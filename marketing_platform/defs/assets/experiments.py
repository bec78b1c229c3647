"""Experiments: what arms did day by day, what follows from it, and who stays where they were."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.catalog import tables
from marketing_platform.defs.assets.analytics import GROUP, report_asset
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, reusable
from marketing_platform.defs.metadata import intervals, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.experiments.counting import counts_sql, first_arms_sql, tables_read
from marketing_platform.experiments.judging import Result, judge
from marketing_platform.experiments.loading import load_declarations
from marketing_platform.experiments.released import ARMS, DAYS, RESULTS, moved_arms, report_of
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

_OWNERS = ["team:analytics"]
# A metric may be about any of these, whatever the declarations say now.
_ABOUT = tuple(one.name for one in tables().values() if one.time and "user_id" in one.column_names)


@dg.asset(
    name=DAYS,
    description="For each experiment, arm and day (UTC) the users who were new: exposed first, or did for the"
    " first time what a metric counts.",
    group_name=GROUP,
    ins={name: dg.AssetIn() for name in _ABOUT},
    **stored_in("warehouse"),
    kinds={"duckdb", "parquet", "sql"},
    owners=_OWNERS,
    tags={"layer": "aggregate"},
    automation_condition=follow_upstream(),
)
def experiment_days(settings: dg.ResourceParam[Settings], **upstream: StoredTable) -> Select:
    """Counts of users, of the experiments that are declared now."""
    declared = load_declarations(settings.experiments_dir)
    return Select(counts_sql(declared), [upstream[name].ref for name in tables_read(declared)])


@report_asset(name=RESULTS)
def experiment_results(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    experiment_days: StoredTable,
) -> Any:  # a document
    """Each experiment: rates, lifts with intervals that hold at every look, sizes of arms, decisions."""
    today, experiments = datetime.now(UTC).date(), declared_version(settings.experiments_dir)
    if (before := reusable(context, experiments=experiments, today=today)) is not None:
        return before
    declared = load_declarations(settings.experiments_dir)
    rows = stores.warehouse.query(Select("SELECT * FROM experiment_days", [experiment_days.ref])).to_pylist()
    results = judge(declared, rows, today=today)
    stopped = [one for one in results if one.status == "stopped"]
    context.add_output_metadata(
        {
            "experiments": len(results),
            "sample_ratio_mismatches": sum(one.mismatched for one in results),
            "guardrails_broken": len(stopped),
            "users_in_two_arms": sum(one.mixed for one in results),
            "compared": _compared(results),
            "sizes": _sizes(results),
            "decisions": _decisions(results),
            **{f"plot {one.experiment.name}": _plot(one) for one in results if one.path},
        }
    )
    return report_of(declared, results)


@dg.asset(
    name=ARMS,
    description="Users whose first arm is not the one that their experiment would draw now: they stay in it.",
    group_name=GROUP,
    **stored_in("answers"),
    kinds={"sqlite", "json"},
    owners=_OWNERS,
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def experiment_arms(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    exposures: StoredTable,
) -> Any:  # Prepared
    """Nobody, as long as weights, coverage and namespaces are not changed while an experiment lasts."""
    if (before := reusable(context, experiments=declared_version(settings.experiments_dir))) is not None:
        return before
    declared = load_declarations(settings.experiments_dir)
    sql = f"SELECT * FROM ({first_arms_sql(declared)}) AS firsts ORDER BY user_id, experiment"  # noqa: S608 -- ours
    firsts = stores.warehouse.batches(Select(sql, [exposures.ref]), chunk_rows=settings.chunk_rows)
    return Prepared(moved_arms(declared, firsts))


def _compared(results: Sequence[Result]) -> dg.MarkdownMetadataValue:
    columns = ["experiment", "status", "arm", "users", "metric", "did", "rate", "lift", "from", "to", "p"]
    rows = [
        (
            *(one.experiment.name, one.status, arm.arm + (" (control)" if arm.control else ""), arm.users),
            *(of.metric, of.converted, of.rate, of.lift, of.low, of.high, of.p),
        )
        for one in results
        for arm in one.arms
        for of in arm.metrics
    ]
    return markdown_table(columns, rows)


def _sizes(results: Sequence[Result]) -> dg.MarkdownMetadataValue:
    columns = ["experiment", "arms", "expected", "p", "mismatch", "in two arms"]
    rows = [
        (
            one.experiment.name,
            " : ".join(f"{arm.users:,}" for arm in one.arms),
            " : ".join(f"{arm.weight:.3g}" for arm in one.arms),
            one.mismatch_p,
            "yes" if one.mismatched else "",
            one.mixed,
        )
        for one in results
    ]
    return markdown_table(columns, rows)


def _decisions(results: Sequence[Result]) -> dg.MarkdownMetadataValue:
    decided = [(one.experiment.name, one.decision) for one in results if one.decision]
    rows = [(name, of.outcome, of.arm, of.day, of.reason) for name, of in decided]
    return markdown_table(["experiment", "outcome", "everyone gets", "day", "reason"], rows)


def _plot(one: Result) -> dg.MarkdownMetadataValue:
    of = {arm.arm: [step for step in one.path if step.arm == arm.arm] for arm in one.arms if not arm.control}
    return intervals(
        f"{one.experiment.name}: lift of {one.experiment.metric}, with its interval at the end of each day",
        {arm: [(step.day, step.lift, step.low, step.high) for step in steps] for arm, steps in of.items()},
    )
