"""A standalone cluster loses a worker in the middle of a job, and the result is what it would have been."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from marketing_platform.compute import OnSpark
from marketing_platform.defs.spark import launch
from marketing_platform.gates import RowGate, load_suites
from marketing_platform.ingestion.validation import sift
from marketing_platform.settings import Settings, load_settings
from marketing_platform_tests.servers import spark
from marketing_platform_tests.servers.test_spark import assert_same_split, landed_chunks

_PATIENCE = 300.0  # seconds until the first task of a job has ended, on a busy machine


def kill_once_a_task_is_done(victim: int, data_dir: Path, killed: list[int]) -> None:
    """SIGKILL to a worker and its executor, as if their machine were gone."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if done := len(list(data_dir.glob("compute/.*/sifted/_temporary/0/task_*"))):
            os.killpg(victim, signal.SIGKILL)
            killed.append(done)
            return
        time.sleep(0.02)


def test_a_job_outlives_a_worker(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    spec, chunks = landed_chunks(tmp_path / "sample", chunk_rows=15, at_least=20)
    suites, landed_at = load_suites(load_settings().expectations_dir), datetime(2026, 7, 1, tzinfo=UTC)
    killed: list[int] = []
    with spark.cluster() as cluster:
        settings = spark.settings(master=cluster.master.endpoint, executor_memory="512m")
        compute = OnSpark(Settings.model_validate({"data_dir": tmp_path}), lambda job: launch(job, settings))
        victim = cluster.workers[0].process
        killer = Thread(target=kill_once_a_task_is_done, args=(victim.pid, tmp_path, killed))
        killer.start()
        theirs, run = spark.in_a_step(lambda: list(compute.sift(chunks, "b@1", spec, suites, landed_at)))
        killer.join()
        assert victim.wait(10) == -signal.SIGKILL
    assert killed
    assert killed[0] < len(chunks)  # in the middle
    figures = run.asset_materializations_for_node("step")[0].metadata
    assert figures["cost/executors"].value == 2
    gate = RowGate(suites, now=landed_at)
    ours = [sift(chunk, "b@1", spec, gate)[0] for chunk in chunks]
    assert len(theirs) == len(ours)
    for one, other in zip(ours, theirs, strict=True):
        assert_same_split(one, other)
