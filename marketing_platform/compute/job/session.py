"""The Spark session of a job: what makes its results equal to DuckDB's, its limits, and what it measured."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from marketing_platform.errors import ComputeUnavailable
from marketing_platform.stores.spark_settings import SparkSettings

_ALIKE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # what cannot be computed fails, as in DuckDB, and is no NULL
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
}
# Files up to this size are tasks of their own where each is a chunk; larger ones are cut.
_TASK_BYTES = 128 << 20
_LONGEST_REASON = 500


class Session:
    """Spark for the time of one job."""

    def __init__(self, settings: SparkSettings, *, name: str) -> None:
        self._settings = settings
        self._name = name
        self._late = False

    def __enter__(self) -> Self:
        # This Python has the packages; a cluster may have one like it under another path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName(self._name).master(self._settings.master)
        for key, value in (_ALIKE | self._limits()).items():
            builder = builder.config(key, value)
        self.spark = builder.getOrCreate()
        self._timer = Timer(self._settings.job_seconds, self._cancel)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.spark.stop()
        if self._late and error is not None:
            raise ComputeUnavailable(
                f"the job was cancelled after {self._settings.job_seconds:.0f} s: either nothing executes at"
                f" {self._settings.master}, or MARKETING_SPARK_JOB_SECONDS is too little for this data"
            ) from error

    def read(self, files: list[str], schema: pa.Schema) -> DataFrame:
        """Rows of Parquet files; a column that a file lacks is null there."""
        columns = spark_schema(schema)
        if not files:
            return self.spark.createDataFrame([], columns)
        return self.spark.read.schema(columns).parquet(*files)

    def chunks(self, folder: Path, schema: pa.Schema, *, rows: int) -> DataFrame:
        """Staged rows, a task per file, which it sees as one Arrow batch of up to so many `rows`."""
        conf = self.spark.conf
        conf.set("spark.sql.files.maxPartitionBytes", str(_TASK_BYTES))
        conf.set("spark.sql.files.openCostInBytes", str(_TASK_BYTES))
        conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
        return self.read(sorted(str(path) for path in folder.iterdir()), schema)

    def figures(self) -> dict[str, int]:
        """Executors that took part, lost ones too, and the bytes they read from files and sent each other."""
        java: Any = self.spark.sparkContext._jsc  # pyright: ignore[reportPrivateUsage] -- PySpark has no door
        found = java.sc().statusStore().executorList(False)
        executors = [found.apply(at) for at in range(found.size())]
        return {
            "executors": sum(executor.totalTasks() > 0 for executor in executors),
            "bytes_read": sum(executor.totalInputBytes() for executor in executors),
            "bytes_shuffled": sum(executor.totalShuffleWrite() for executor in executors),
        }

    def _limits(self) -> dict[str, str]:
        settings = self._settings
        limits = {
            "spark.driver.memory": settings.driver_memory,
            "spark.executor.memory": settings.executor_memory,
            "spark.network.timeout": f"{settings.network_seconds:.0f}s",
            "spark.executor.heartbeatInterval": f"{settings.network_seconds / 10:.0f}s",
            "spark.sql.shuffle.partitions": str(settings.partitions),
        }
        return limits | ({"spark.driver.host": settings.driver_host} if settings.driver_host else {})

    def _cancel(self) -> None:
        self._late = True
        self.spark.sparkContext.cancelAllJobs()


def spark_schema(schema: pa.Schema) -> StructType:
    """Columns as Spark has them; vectors of a fixed length are lists there."""
    fields = [
        pa.field(field.name, pa.list_(field.type.value_type))
        if pa.types.is_fixed_size_list(field.type)
        else field.with_nullable(True)
        for field in schema
    ]
    return from_arrow_schema(pa.schema(fields))


def reason(error: Exception) -> str:
    """What a person should read of an error: of one in an executor's Python its last line, else the first."""
    if not isinstance(error, PySparkException):
        return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    lines = [line.strip() for line in str(error).split("\n\tat ")[0].splitlines() if line.strip()]
    in_python = any(line.startswith("Traceback") for line in lines)
    return (lines[-1 if in_python else 0] if lines else type(error).__name__)[:_LONGEST_REASON]
