"""Every step of every job has a place in the plan, and the pods of runs follow from it."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.jobs import build_jobs
from marketing_platform.defs.step_plan import GPU, TAG, Plan, UnknownJob, step_plan
from marketing_platform.settings import Settings

JOBS = sorted(job.name for job in build_jobs())
_SIZES = st.fixed_dictionaries(
    {
        "cpu": st.integers(1, 64).map(str) | st.integers(1, 64_000).map("{}m".format),
        "memory": st.integers(1, 512).map("{}Gi".format) | st.integers(1, 512_000).map("{}Mi".format),
        "gpu": st.integers(0, 8),
    }
)


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(Settings())


def _resources(plan: Plan, job: str) -> dict[str, Any]:
    return json.loads(plan.run_tags(job)[TAG])["container_config"]["resources"]


@pytest.mark.parametrize("job", JOBS)
def test_the_steps_of_a_job_are_those_that_are_planned(job: str, definitions: dg.Definitions) -> None:
    steps = {node.name for node in definitions.resolve_job_def(job).graph.nodes}
    planned = set(step_plan().steps(job))
    assert steps - planned == set(), "say what they need in defs/step_plan.yaml"
    assert planned - steps == set(), "they are no steps of this job any more"


def test_jobs_that_are_gone_have_no_plan() -> None:
    assert sorted(step_plan().jobs) == JOBS


@pytest.mark.parametrize("job", JOBS)
def test_runs_carry_what_their_pods_need(job: str, definitions: dg.Definitions) -> None:
    tags = definitions.resolve_job_def(job).tags
    assert json.loads(tags[TAG]) == json.loads(step_plan().run_tags(job)[TAG])


def test_no_process_is_promised_more_than_six_gigabytes() -> None:
    assert max(size.mebibytes for size in step_plan().sizes.values()) <= 6 * 1024


@given(st.lists(_SIZES, min_size=1, max_size=6))
def test_a_pod_is_large_enough_for_each_of_its_steps(sizes: list[dict[str, Any]]) -> None:
    named = {f"size_{number}": size for number, size in enumerate(sizes)}
    plan = Plan.model_validate(
        {"sizes": named, "jobs": {"job": {name: [f"step of {name}"] for name in named}}}
    )
    given_ = _resources(plan, "job")
    requests, limits = given_["requests"], given_["limits"]
    assert requests["memory"] == limits["memory"]
    pod = Plan.model_validate({"sizes": {"pod": {**requests, "gpu": limits.get(GPU, 0)}}, "jobs": {}}).sizes[
        "pod"
    ]
    steps = plan.steps("job").values()
    for measure in ("millicores", "mebibytes", "gpu"):
        assert getattr(pod, measure) == max(getattr(size, measure) for size in steps)


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ({"job": {"huge": ["a"]}}, "no size 'huge'"),
        ({"job": {"small": ["a", "a"]}}, "a is named twice"),
        ({"job": {"small": ["a"], "large": ["a"]}}, "a is named twice"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(jobs: dict[str, Any], told: str) -> None:
    sizes = {name: {"cpu": "1", "memory": "1Gi"} for name in ("small", "large")}
    with pytest.raises(ValidationError, match=told):
        Plan.model_validate({"sizes": sizes, "jobs": jobs})


def test_a_job_without_a_plan_is_told_where_to_add_one() -> None:
    with pytest.raises(UnknownJob, match=r"'unheard_of'.*step_plan\.yaml"):
        step_plan().run_tags("unheard_of")
