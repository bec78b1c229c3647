"""A run that was killed goes on where it was."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from marketing_platform.catalog import TableKind, tables
from marketing_platform.defs.execution import PUBLISH, Pipeline, open_instance
from marketing_platform.defs.progress import Progress
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.landed import conversation, csv
from marketing_platform_tests.defs.made import computed, kept, latest_run

pytestmark = pytest.mark.long

# What is no more than a list of parts, or looks itself at what is there.
ALWAYS = {
    "admitted_batches",
    *(table.name for table in tables().values() if table.kind is TableKind.FACT),
    "enriched_events",
    "board_images",
    "release",
}
LATE = "segments"  # a step after which little is left to do


def _die_at(settings: Settings, step: str) -> None:
    """Run, and kill -9 this process in the moment in which a step begins."""

    def hear(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_instance(settings) as instance:
        pipeline = Pipeline(settings, instance, hear)
        pipeline.ingest(pipeline.take().batches)
        pipeline.publish()


def test_what_a_killed_run_made_is_not_computed_again(install: Install) -> None:
    installation = install()
    installation.land("wave/events.csv", csv(conversation("w")))
    process = multiprocessing.get_context("spawn").Process(target=_die_at, args=(installation.settings, LATE))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert installation.shelf.current() is None
    with open_instance(installation.settings) as instance:
        killed = latest_run(instance, PUBLISH)
        done = computed(instance, killed).keys()
    assert len(done) > len(ALWAYS) + 15

    figures = installation.run()

    assert figures["release_id"] is not None
    with open_instance(installation.settings) as instance:
        run = latest_run(instance, PUBLISH)
        assert run != killed
        assert kept(instance, run) == dict.fromkeys(done - ALWAYS, killed)
        again = computed(instance, run)
    assert {asset for asset, why in again.items() if why} == again.keys() - ALWAYS
    assert set(filter(None, again.values())) == {"it was never made"}
