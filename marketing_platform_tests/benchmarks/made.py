"""Made figures of runs, for what is done with them."""

from __future__ import annotations

from benchmarks.pipeline_run import Stage
from benchmarks.runs import Run
from benchmarks.scale import Scaled
from benchmarks.scale_data import Landed
from benchmarks.scale_duckdb import Loaded

_TOTALS = {"rows_landed": 100, "rows_valid": 99, "rows_quarantined": 1, "users": 3, "campaigns": 2}


def made_run(seconds: float = 10.0, **stages: float) -> Run:
    """A run with these stages, `validate_batches` unless told; their CPU seconds are twice their seconds."""
    parts = stages or {"validate_batches": seconds / 2}
    return Run(
        seconds=seconds,
        cpu_seconds=2 * seconds,
        peak_mb=1_500.0,
        rows_landed=100,
        stages=tuple(Stage(name, took, 2 * took, 900.0, 950.0, 7.0, 100) for name, took in parts.items()),
        totals=_TOTALS,
        disk_mb={"answers": 8.0, "ledger.sqlite": 0.1},
        load=0.5,
    )


def made_scaled(events: int, **stages: float) -> Scaled:
    """One size; the run over 1 % more took a second."""
    landed = Landed(events=events, messages=events // 5, users=events // 29, rows=events)
    return Scaled(made_run(10.0, **stages), made_run(1.0), landed, Loaded(seconds=2.0, rows=events))
