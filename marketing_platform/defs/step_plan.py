"""What the pods of runs are given, from what their steps need (`step_plan.yaml`).

Dagster hands the tag `dagster-k8s/config` of a job to Kubernetes and passes over it everywhere else, so
jobs carry it whatever they run on. What pods have in common is said by `deploy/kubernetes/values.yaml`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from marketing_platform.errors import MarketingPlatformError

TAG = "dagster-k8s/config"
GPU = "nvidia.com/gpu"
_FILE = Path(__file__).with_suffix(".yaml")
_MEBIBYTES = {"Mi": 1, "Gi": 1024}


class UnknownJob(MarketingPlatformError):
    """A job has no plan; the message says where to add it."""


class Size(BaseModel):
    """What a step needs, in Kubernetes' words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Annotated[str, Field(pattern=r"^[1-9]\d*m?$")]  # cores, or thousandths of one with m
    memory: Annotated[str, Field(pattern=r"^[1-9]\d*(Mi|Gi)$")]
    gpu: Annotated[int, Field(ge=0)] = 0

    @property
    def millicores(self) -> int:
        """Thousandths of a core."""
        return int(self.cpu[:-1]) if self.cpu.endswith("m") else int(self.cpu) * 1000

    @property
    def mebibytes(self) -> int:
        """Memory in MiB."""
        return int(self.memory[:-2]) * _MEBIBYTES[self.memory[-2:]]


class Plan(BaseModel):
    """The sizes there are, and for each job which of its steps need which."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: dict[str, Size]
    jobs: dict[str, dict[str, tuple[str, ...]]]

    @model_validator(mode="after")
    def _every_step_has_one_size(self) -> Plan:
        for job, by_size in self.jobs.items():
            if unknown := by_size.keys() - self.sizes.keys():
                raise ValueError(f"{job}: there is no size {min(unknown)!r}")
            named = [step for steps in by_size.values() for step in steps]
            if twice := {step for step in named if named.count(step) > 1}:
                raise ValueError(f"{job}: {min(twice)} is named twice")
        return self

    def steps(self, job: str) -> dict[str, Size]:
        """What each step of a job needs; UnknownJob when none is planned."""
        if job not in self.jobs:
            raise UnknownJob(f"the job {job!r} has no plan; add its steps to {_FILE.name}")
        return {step: self.sizes[size] for size, steps in self.jobs[job].items() for step in steps}

    def run_tags(self, job: str) -> dict[str, str]:
        """The tags that make the pod of a job's runs large enough for each of its steps."""
        return {TAG: json.dumps({"container_config": {"resources": _resources(self.steps(job).values())}})}


@cache
def step_plan() -> Plan:
    """The plan on file."""
    return Plan.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def _resources(needed: Iterable[Size]) -> dict[str, Any]:
    """The largest of each; memory is asked for as it is limited: no node is promised more than it has."""
    sizes = list(needed)
    memory = max(sizes, key=lambda size: size.mebibytes).memory
    cpu = max(sizes, key=lambda size: size.millicores).cpu
    gpus = max(size.gpu for size in sizes)
    accelerators = {GPU: gpus} if gpus else {}
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory, **accelerators}}
