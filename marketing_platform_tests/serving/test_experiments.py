"""Experiments in answers: who gets which list, what is noted of it, and what results look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from marketing_platform.errors import StoreBusy
from marketing_platform.experiments.assigning import Assignment
from marketing_platform.experiments.counting import USERS as USERS_SEEN
from marketing_platform.experiments.released import ARMS, RESULTS
from marketing_platform.experiments.spec import Arm, Holdout
from marketing_platform.ingestion.journal import Entry, InObject, Place
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.releases.manifest import AnswersEntry, ReportEntry
from marketing_platform_tests.serving.conftest import (
    COUNTED,
    EXPERIMENT,
    USERS,
    Platform,
    await_until,
    experiments_report,
)
from serving.experiments.exposing import Exposures

pytestmark = pytest.mark.slow

WHOLE = {**EXPERIMENT, "experiment": "e", "about": "product", "seed": "s"}
# What growthbook 4.0.0 (PyPI) says of the six users with the seed "s" and hash version 2.
DRAWN = dict(zip(USERS, ["content", "other", "other", "content", "content", "content"], strict=True))


def publish(
    platform: Platform,
    experiment: dict[str, Any] = WHOLE,
    *,
    counted: list[dict[str, Any]] | None = None,
    moved: dict[str, dict[str, str]] | None = None,
    holdout: Holdout | None = None,
    generation: int = 1,
) -> None:
    """A release with this experiment."""
    manifest = platform.build(generation)
    name = f"{RESULTS}__{generation}"
    platform.stores.reports.write(name, experiments_report(experiment, counted or [], holdout=holdout))
    rows = {"key": list(moved or {}), "answer": [orjson.dumps(arms) for arms in (moved or {}).values()]}
    count = platform.stores.answers.write(f"{ARMS}__{generation}", [pa.table(rows, schema=ANSWER_SCHEMA)])
    changed = manifest.model_copy(
        update={
            "reports": {**manifest.reports, RESULTS: ReportEntry(name=name)},
            "answers": {**manifest.answers, ARMS: AnswersEntry(name=f"{ARMS}__{generation}", rows=count)},
        }
    )
    platform.shelf.publish(changed, expected=platform.shelf.current())


@pytest.fixture
def client(fresh_platform: Platform) -> Iterator[TestClient]:
    publish(fresh_platform)
    with fresh_platform.client() as opened:
        yield opened


def asked(client: TestClient, user: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/users/{user}/recommendations", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def arms_of(client: TestClient) -> dict[str, str | None]:
    told = {user: asked(client, user)["experiment"] for user in USERS}
    return {user: one["variant"] if one else None for user, one in told.items()}


def landed(platform: Platform) -> list[dict[str, Any]]:
    """The exposures that have landed, in order."""
    names = sorted(one.name for one in platform.stores.objects.list(below="api/exposures"))
    lines = [
        line for name in names for line in (platform.settings.landing_dir / name).read_bytes().splitlines()
    ]
    return [orjson.loads(line)["value"]["exposures"] for line in lines]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("marketing_api_exposures_total", {"outcome": outcome}) or 0.0


def test_users_get_the_list_of_their_arm_and_it_lands_who_was_shown_it(
    fresh_platform: Platform,
) -> None:
    publish(fresh_platform)
    before = counted("written")
    with fresh_platform.client() as client:
        for _ in range(2):
            assert arms_of(client) == DRAWN
        # The trending list leaves out what the second user does not want: the arm shows in the items.
        assert asked(client, USERS[1])["items"][1]["product_id"] == "p-3-gen1"
        assert asked(client, USERS[0])["experiment"] == {"name": "e", "variant": "content"}
        assert asked(client, USERS[0], kind="trending")["experiment"] is None
        assert "experiment" not in asked(client, USERS[0], kind="campaign")
    found = landed(fresh_platform)
    assert {row["user_id"]: row["variant"] for row in found} == DRAWN
    assert len(found) == len(USERS)  # once each, however often they ask
    assert counted("written") - before == len(USERS)
    one = found[0]
    assert (one["experiment"], one["surface"], one["about"], one["release_id"]) == (
        *("e", "recommendations", "product"),
        "r-gen1",
    )
    assert datetime.fromisoformat(one["timestamp"]).tzinfo is not None


def test_the_route_and_the_way_below_it_and_batches_agree(client: TestClient) -> None:
    """A limit sends the question through the framework."""
    through = {user: asked(client, user, limit=2)["experiment"]["variant"] for user in USERS}
    batch = client.post("/api/v1/recommendations/batch", json={"user_ids": [*USERS, "nobody"]}).json()
    assert through == arms_of(client) == DRAWN
    assert {
        one["user_id"]: one["answer"]["experiment"]["variant"] for one in batch["items"] if one["answer"]
    } == DRAWN


def test_an_unknown_user_is_in_no_experiment(fresh_platform: Platform) -> None:
    publish(fresh_platform)
    with fresh_platform.client() as client:
        assert client.get("/api/v1/users/nobody/recommendations").status_code == 404
    assert landed(fresh_platform) == []


def test_a_pinned_answer_is_as_the_release_made_it(fresh_platform: Platform) -> None:
    publish(fresh_platform)
    with fresh_platform.client() as client:
        assert {asked(client, user, release="r-gen1")["experiment"] for user in USERS} == {None}
    assert landed(fresh_platform) == []


def test_who_looks_at_somebodys_list_exposes_nobody(fresh_platform: Platform) -> None:
    publish(fresh_platform)
    with fresh_platform.client() as client:
        shown = {user: asked(client, user, preview=True)["experiment"]["variant"] for user in USERS}
    assert shown == DRAWN
    assert landed(fresh_platform) == []


def test_etags_of_arms_differ(fresh_platform: Platform) -> None:
    """A release goes on when an experiment begins, ends or is looked at on another day."""
    publish(fresh_platform, {**WHOLE, "about": "content"})
    with fresh_platform.client() as client:
        bare = client.get(f"/api/v1/users/{USERS[0]}/recommendations").headers["etag"]
        url = f"/api/v1/users/{USERS[0]}/recommendations?kind=content"
        first = client.get(url)
        assert first.headers["etag"] != bare
        assert first.headers["etag"].endswith('/e.content"')
        assert client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert client.get(url, headers={"If-None-Match": bare}).status_code == 200


def test_the_first_arm_counts_when_weights_changed(fresh_platform: Platform) -> None:
    other_way = {user: "content" if arm == "other" else "other" for user, arm in DRAWN.items()}
    publish(fresh_platform, moved={user: {"e": arm} for user, arm in other_way.items()})
    with fresh_platform.client() as client:
        assert arms_of(client) == other_way


def test_what_was_shown_since_the_release_was_made_counts_too(fresh_platform: Platform) -> None:
    publish(fresh_platform)
    arms = [{**WHOLE["arms"][0], "weight": 1e-9}, WHOLE["arms"][1]]
    with fresh_platform.client() as client:
        assert arms_of(client) == DRAWN
        publish(fresh_platform, {**WHOLE, "arms": arms}, generation=2)
        await_until(lambda: client.get("/api/v1/health").json()["release_id"] == "r-gen2")
        assert arms_of(client) == DRAWN  # all would be drawn into the second arm now


def test_the_global_holdout_is_in_no_experiment(fresh_platform: Platform) -> None:
    publish(fresh_platform, holdout=Holdout(share=0.999, seed="h"))
    with fresh_platform.client() as client:
        assert set(arms_of(client).values()) == {None}


@pytest.mark.parametrize(
    ("bought", "returned", "everyone"),
    [((50, 200), (0, 0), "other"), ((200, 50), (0, 0), "content"), ((50, 200), (5, 80), "content")],
    ids=["a winner", "control wins", "a guardrail broke"],
)
def test_what_a_release_decided_everyone_gets_and_nobody_is_counted(
    fresh_platform: Platform, bought: tuple[int, int], returned: tuple[int, int], everyone: str
) -> None:
    rows = [
        {"experiment": "e", "arm": arm, "day": date(2026, 11, 1), "counted": what, "users": users}
        for what, both in ((USERS_SEEN, (900, 900)), ("purchase", bought), ("return", returned))
        for arm, users in zip(("content", "other"), both, strict=True)
    ]
    guarded = {**WHOLE, "automatic_winner": True, "guardrails": [{"metric": "return", "worse_by": 0.2}]}
    publish(fresh_platform, guarded, counted=rows)
    with fresh_platform.client() as client:
        assert set(arms_of(client).values()) == {everyone}
        told = client.get("/api/v1/experiments/e").json()
        assert (told["status"], told["decision"]["arm"]) == (
            "stopped" if returned[1] else "winner",
            everyone,
        )
    assert landed(fresh_platform) == []


def test_results_are_answered_whole_and_by_name(fresh_platform: Platform) -> None:
    publish(fresh_platform, EXPERIMENT, counted=COUNTED, holdout=Holdout(share=0.05, seed="h"))
    with fresh_platform.client() as client:
        listed = client.get("/api/v1/experiments").json()
        one = client.get("/api/v1/experiments/content_list").json()
        unknown = client.get("/api/v1/experiments/nope")
    assert [line["experiment"] for line in listed["items"]] == ["content_list"]
    assert listed["holdout"] == {"share": 0.05, "seed": "h"}
    assert (one["users"], [arm["users"] for arm in one["arms"]]) == (1200, [600, 600])
    other = one["arms"][1]["metrics"][0]
    assert (other["converted"], other["rate"], other["lift"]) == (90, 0.15, 1.25)
    assert 0 < other["low"] < other["lift"] < other["high"]
    assert other["p"] < 0.05
    assert [step["day"] for step in one["path"]] == ["2026-11-01", "2026-11-02"]
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "unknown_experiment")


def test_a_release_older_than_experiments_answers_without_them(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1)
    old = manifest.model_copy(
        update={
            "reports": {name: entry for name, entry in manifest.reports.items() if name != RESULTS},
            "answers": {name: entry for name, entry in manifest.answers.items() if name != ARMS},
        }
    )
    fresh_platform.shelf.publish(old, expected=None)
    with fresh_platform.client() as client:
        assert asked(client, USERS[0])["experiment"] is None
        refused = client.get("/api/v1/experiments")
    assert (refused.status_code, refused.json()["error_code"]) == (503, "not_ready")


class Journal:
    """Takes entries as long as it is told to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False
        self.durable = True

    def append(self, entry: Entry) -> Future[Place]:
        if self.full:
            raise StoreBusy("too many writes wait")
        self.entries.append(entry)
        place: Future[Place] = Future()
        if self.durable:
            place.set_result(InObject(entry.envelope.number))
        else:
            place.set_exception(OSError("the disk is gone"))
        return place


def note(exposures: Exposures, user: str = "u", variant: str = "a", exposed: bool = True) -> None:
    arm = Arm(arm=variant, weight=1)
    exposures.note(
        Assignment("e", arm, exposed), user, surface="recommendations", about="product", release_id="r"
    )


@pytest.mark.parametrize("trouble", ["full", "durable"])
def test_what_could_not_be_written_is_counted_and_noted_again(trouble: str) -> None:
    journal = Journal()
    exposures = Exposures(journal.append, every_seconds=60)
    setattr(journal, trouble, trouble == "full")
    before = counted("lost")
    note(exposures)
    exposures.write()
    assert counted("lost") - before == 1
    assert exposures.shown("e", "u") is None
    setattr(journal, trouble, trouble != "full")
    journal.entries.clear()
    note(exposures)
    exposures.write()
    assert [len(entry.lines) for entry in journal.entries] == [1]


def test_many_exposures_are_few_writes_and_no_user_is_noted_twice() -> None:
    journal = Journal()
    exposures = Exposures(journal.append, every_seconds=60)
    for _ in range(2):
        for number in range(2_500):
            note(exposures, f"u-{number}")
        note(exposures, "decided", exposed=False)
        exposures.write()
    assert [len(entry.lines) for entry in journal.entries] == [1_000, 1_000, 500]
    users = Counter(
        orjson.loads(line)["value"]["exposures"]["user_id"]
        for entry in journal.entries
        for line in entry.lines
    )
    assert set(users.values()) == {1}
    assert "decided" not in users
    head = orjson.loads(journal.entries[0].lines[0])["value"]["write"]
    assert (head["kind"], head["by"], head["at"]) == ("exposures", "api", "exposures.0")
    assert datetime.fromisoformat(head["received_at"]).tzinfo == UTC
