"""`kill -9` of a run at random moments: never a mixed release, and after a rerun no row missing or twice."""

from __future__ import annotations

import os
import random
import sys
from typing import Any

import pytest

from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.acceptance.killing import Start, command_line, duration, prepared_process
from marketing_platform_tests.acceptance.landed import conversation, csv

pytestmark = pytest.mark.long

_QUESTIONS = (
    "/recommendations/similar-users?user_id=user-1",
    "/recommendations/user-1",
    "/graph/user-campaigns?user_id=user-1",
    "/analytics/campaign-performance",
    "/analytics/daily-activity",
)


def _land(installation: Installation, wave: int) -> None:
    installation.land(f"wave-{wave:02d}/events.csv", csv(conversation(f"w{wave}")))


def _answers(installation: Installation) -> list[Any]:
    """What the API says; every table of the release has the rows that its manifest names."""
    current = installation.shelf.current()
    answers = installation.answers(*_QUESTIONS)
    if current is None:
        codes = [answer["error_code"] for answer in answers]
        assert set(codes) == {"no_release"}
        return codes
    assert {answer["release_id"] for answer in answers} == {current}
    for name, entry in installation.release().tables.items():
        if entry.parts:
            assert installation.query(f"SELECT count(*) FROM {name}") == [(entry.rows,)]
    return answers


def _kill_and_rerun(install: Install, *, kills: int, start: Start, seed: int) -> list[str]:
    """Kill runs at moments spread over a run's duration; returns what served after each kill.

    Every run finds a new file and what runs before it left undone. The first third of them dies
    before there is any release, the others while one serves.
    """
    chance = random.Random(seed)
    undisturbed, killed = install(), install()
    for wave in range(kills):
        _land(undisturbed, wave)
    seconds = duration(start, undisturbed)
    moments = [(stratum + chance.random()) / kills * seconds for stratum in range(kills)]
    chance.shuffle(moments)
    story: list[str] = []
    current, answers = None, _answers(killed)
    for wave, moment in enumerate(moments):
        if wave == (kills + 2) // 3:
            killed.run()
            current, answers = killed.shelf.current(), _answers(killed)
        _land(killed, wave)
        running = start(killed)
        running.wait(moment)
        running.kill()
        now = killed.shelf.current()
        found = _answers(killed)
        if now == current:
            assert found == answers
        story.append(
            f"killed after {moment:.1f} of {seconds:.1f} s: {'old' if now == current else 'new'} {now}"
        )
        current, answers = now, found
    killed.run()
    _same_in_the_end(killed, undisturbed)
    return story


def _same_in_the_end(killed: Installation, undisturbed: Installation) -> None:
    assert killed.content() == undisturbed.content()
    for batch in killed.ledger.batches():
        assert (batch.rows_landed, batch.rows_valid) == (100, 100)
        assert killed.raw_rows(batch.batch_id) == 100
        assert killed.quarantine(batch.batch_id) == []
    assert [batch.batch_id for batch in killed.ledger.batches()] == [
        batch.batch_id for batch in undisturbed.ledger.batches()
    ]


def test_killed_runs(install: Install) -> None:
    _kill_and_rerun(install, kills=3, start=prepared_process, seed=20261121)


@pytest.mark.skipif("KILLS" not in os.environ, reason="minutes; make test-kill runs it")
def test_killed_commands(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    kills = int(os.environ["KILLS"])
    story = _kill_and_rerun(install, kills=kills, start=command_line, seed=int(os.environ.get("SEED", "7")))
    with capsys.disabled():
        sys.stderr.write("\n" + "\n".join(story) + "\n")
