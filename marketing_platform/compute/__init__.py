"""Work that is too large for one machine: the same definitions, run by Spark.

What is computed is defined elsewhere (SQL in `catalog`, `analytics`, `features`; rows in `sources` and
`gates`; vectors in `encoders`). Here is how it becomes jobs, how a job runs, and how its results come
back to the stores, which alone give them a name.

`Compute` (`protocol.py`) is what assets ask; `here.py` and `on_spark.py` implement it. `jobs.py` says what a
job is told. What runs in a job's own process is in `job/`, the only package that imports PySpark. How a job
is launched and what Dagster learns of it is in `defs/spark.py`.
"""

from marketing_platform.compute.here import Here
from marketing_platform.compute.on_spark import OnSpark
from marketing_platform.compute.protocol import Compute
from marketing_platform.compute.spark_warehouse import asking, without_jobs

__all__ = ["Compute", "Here", "OnSpark", "asking", "without_jobs"]
