"""Why a run failed, in the words of its checks and errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.events import JobFailureData
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from marketing_platform.errors import MarketingPlatformError


def what_failed(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """One line per blocking check that failed; without any, one per step, or for the run as a whole."""
    checks = list(failed_checks(instance, run_id))
    if checks:
        return [_check_line(check) for check in checks]
    steps = [_step_line(event) for event in _events(instance, run_id, dg.DagsterEventType.STEP_FAILURE)]
    return steps or [_whole_line(instance, run_id)]


def ended_at(instance: dg.DagsterInstance, run_id: str) -> datetime:
    """When a run ended; now, where that is not noted."""
    record = instance.get_run_record_by_id(run_id)
    return datetime.fromtimestamp(record.end_time, UTC) if record and record.end_time else datetime.now(UTC)


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[dg.AssetCheckEvaluation]:
    """The blocking checks that failed in a run."""
    for event in _events(instance, run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        evaluation = event.asset_check_evaluation_data
        if evaluation.blocking and not evaluation.passed:
            yield evaluation


def _events(
    instance: dg.DagsterInstance, run_id: str, *event_types: dg.DagsterEventType
) -> Iterator[dg.DagsterEvent]:
    for entry in instance.all_logs(run_id, of_type=set(event_types)):
        if entry.dagster_event is not None:
            yield entry.dagster_event


def _check_line(check: dg.AssetCheckEvaluation) -> str:
    figures = [
        f"{name} {check.metadata[name].value}" for name in ("observed", "expected") if name in check.metadata
    ]
    asset = check.asset_key.to_user_string()
    return f"check {check.check_name} of {asset} failed: " + "; ".join(
        [check.description or "no reason was given", *figures]
    )


def _step_line(event: dg.DagsterEvent) -> str:
    data = event.event_specific_data
    error = data.error if isinstance(data, StepFailureData) else None
    return f"{event.step_key}: {_told(_root(error)) if error else 'no error was recorded'}"


def _root(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """What was raised on purpose, or else what was raised first; Dagster wraps both."""
    while error.cause is not None and not _is_ours(error):
        error = error.cause
    return error


def _is_ours(error: SerializableErrorInfo) -> bool:
    """Whether it was raised on purpose: it says what to do, which the library's error behind it does not."""
    return error.cls_name in _ours(MarketingPlatformError)


def _ours(kind: type[MarketingPlatformError]) -> set[str]:
    return {kind.__name__}.union(*map(_ours, kind.__subclasses__()))


def _told(error: SerializableErrorInfo) -> str:
    message = error.message.strip()
    return message.split(f"{error.cls_name}: ", 1)[-1] if _is_ours(error) else message


def _whole_line(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed outside its steps, as when what they need cannot be opened.

    Where Dagster kept no error (the process died, say), what it noted just before says more than the failure.
    """
    before = ""
    for event in _events(instance, run_id, dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE):
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            data = event.event_specific_data
            if isinstance(data, JobFailureData) and data.error is not None:
                return _told(_root(data.error))
            return " ".join(filter(None, (event.message, before)))
        before = event.message or ""
    return "no error was recorded"
