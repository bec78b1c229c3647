"""The checks: one per table rule and per measured figure under `expectations/`."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from marketing_platform.catalog import table, tables
from marketing_platform.defs.io_managers import latest_figure, latest_metadata, latest_name
from marketing_platform.gates import (
    DeclaredCheck,
    Measure,
    Suites,
    Verdict,
    declared_checks,
    judge_table,
    load_suites,
    profile_sql,
)
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select
from marketing_platform.stores.registry import Stores


def table_checks(suites: Suites) -> list[dg.AssetChecksDefinition]:
    """One step per table, which judges all its rules from one profile."""
    by_table: dict[str, list[DeclaredCheck]] = defaultdict(list)
    for check in declared_checks(suites):
        if check.asset in tables():
            by_table[check.asset].append(check)
    return [_gate(suites, name, checks) for name, checks in by_table.items()]


def measure_checks(suites: Suites) -> list[dg.AssetChecksDefinition]:
    """One check per figure that an asset measures about itself."""
    return [_measured(measure) for measure in suites.measures]


def _measured(measure: Measure) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=measure.asset,
        name=measure.check,
        blocking=measure.blocking,
        description=measure.description,
    )
    def measured(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        shelf: dg.ResourceParam[ReleaseShelf],
    ) -> dg.AssetCheckResult:
        declared = {(m.asset, m.check): m for m in load_suites(settings.expectations_dir).measures}
        now = declared[measure.asset, measure.check]
        value = latest_figure(context.instance, now.asset, now.figure)
        values = latest_figure(context.instance, now.asset, now.mean_of) if now.mean_of else None
        served = _served(shelf, now)
        passed = now.passed(value, served=served, values=None if values is None else int(values))
        return dg.AssetCheckResult(
            passed=passed,
            severity=dg.AssetCheckSeverity.ERROR if now.blocking else dg.AssetCheckSeverity.WARN,
            description=now.description if passed else now.reason,
            metadata={
                "observed": f"{now.figure} = {value}",
                "expected": _bound(now, served),
                **({now.shows: latest_metadata(context.instance, now.asset)[now.shows]} if now.shows else {}),
            },
        )

    return measured


def _served(shelf: ReleaseShelf, measure: Measure) -> float | None:
    """The figure of the release that serves, if it has one."""
    current = shelf.current()
    return None if current is None else shelf.load(current).figures.get(measure.name)


def _bound(measure: Measure, served: float | None) -> str:
    if measure.at_most is not None:
        return f"at most {measure.at_most:g}"
    if measure.at_least is not None:
        return f"at least {measure.at_least:g}"
    if served is None:
        return "anything: no release serves that was measured"
    return f"at least {measure.bar(served):.4g}, chance apart; the release that serves has {served:.4g}"


def _gate(suites: Suites, name: str, checks: Sequence[DeclaredCheck]) -> dg.AssetChecksDefinition:
    described = {rule.rule: rule.description for rule in suites.table_rules(name)}

    @dg.multi_asset_check(
        name=f"{name}_gate",
        specs=[
            dg.AssetCheckSpec(
                check.check, asset=name, blocking=check.blocking, description=described[check.rule]
            )
            for check in checks
        ],
    )
    def gate(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        stores: dg.ResourceParam[Stores],
    ) -> Iterator[dg.AssetCheckResult]:
        stored = stores.warehouse.open(latest_name(context.instance, name))
        select = Select(profile_sql(table(name)), [stored.ref], {"now": datetime.now(UTC)})
        profile = stores.warehouse.query(select).to_pylist()[0]
        for verdict in judge_table(load_suites(settings.expectations_dir), name, profile):
            yield _result(name, verdict)

    return gate


def _result(asset: str, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=verdict.rule,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.reason or verdict.description,
        metadata={"observed": verdict.observed, "expected": verdict.expected},
    )
