"""How a Spark cluster is reached and what its processes may use (`MARKETING_SPARK_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_MEMORY = r"^\d+[mg]$"


class SparkSettings(BaseSettings):
    """The master, memory, and how long a job may take.

    Executors read and write below the data folder: on a cluster it is mounted under the same path
    everywhere, and this Python with this package lies under the same path too, or where PYSPARK_PYTHON says.
    """

    model_config = SettingsConfigDict(env_prefix="MARKETING_SPARK_", extra="ignore", frozen=True)

    master: str = Field(
        "local[*]",
        pattern=r"^(local(\[.+\])?|spark://.+|k8s://.+|yarn)$",
        description="Where jobs run: `local[2]`, `spark://host:7077`, `k8s://…` or `yarn`.",
    )
    driver_memory: str = Field("1g", pattern=_MEMORY, description="Heap of a job's driver.")
    executor_memory: str = Field("1g", pattern=_MEMORY, description="Heap of each executor of a cluster.")
    driver_host: str | None = Field(
        None, description="Under which name or address executors reach the driver; found out unless given."
    )
    partitions: int = Field(
        64,
        ge=1,
        le=100_000,
        description="Pieces that joins and groups are cut into; small ones are merged.",
    )
    network_seconds: float = Field(
        120.0, ge=10, description="A process of the cluster that is silent for so long counts as lost."
    )
    job_seconds: float = Field(
        21_600.0, gt=0, description="A job that takes longer is cancelled, also one that waits for executors."
    )
