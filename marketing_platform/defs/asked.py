"""Runs that signed calls asked for (`serving/hooks/`): one sensor per job that a call may start."""

from __future__ import annotations

import dagster as dg

from marketing_platform.defs.jobs import COLLECT, PUBLISH, TUNE
from marketing_platform.releases.calls import Calls

CALL = "marketing/call"  # run tag: the first call that asked for it
JOBS = (PUBLISH, TUNE, COLLECT)
_LOOK_EVERY = 15  # seconds; there are three of these


def asked_sensors() -> list[dg.SensorDefinition]:
    """A sensor for each job that a call may start."""
    return [_sensor(job) for job in JOBS]


def _sensor(job: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{job}_asked",
        job_name=job,
        minimum_interval_seconds=_LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts `{job}` when a signed call asked for it; calls that wait share one run.",
    )
    def asked(
        context: dg.SensorEvaluationContext, calls: dg.ResourceParam[Calls]
    ) -> dg.RunRequest | dg.SkipReason:
        """Ask for a run, and note at a later look that it is there: a kill in between starts none twice."""
        waiting = calls.waiting(job)
        if not waiting:
            return dg.SkipReason("no call waits")
        first = waiting[0]
        made = context.instance.get_run_records(dg.RunsFilter(job_name=job, tags={CALL: first.name}), limit=1)
        if not made:
            return dg.RunRequest(run_key=first.name, tags={CALL: first.name})
        run, began = made[0].dagster_run, made[0].create_timestamp.timestamp()
        calls.started(
            [one for one in waiting if one is first or one.asked_at.timestamp() < began], run_id=run.run_id
        )
        return dg.SkipReason(f"run {run.run_id} was started")

    return asked
