"""What runs in a job's own process and on its executors: `python -m marketing_platform.compute.job`.

The only package that imports PySpark. It reads what `compute/jobs.py` declares and writes Parquet; it never
touches a store, so that a job that is killed or run twice changes nothing.
"""
