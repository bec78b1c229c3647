"""DuckDB alone over the landed CSV files: `python -m benchmarks.scale_duckdb LANDING DATABASE`.

Every file of separated text becomes rows of a table in a new database file, columns typed as DuckDB types
them, lines it cannot read left out. Prints one JSON object: `seconds` from the first statement to the closed
file (interpreter and import are not counted) and `rows`. `loaded` runs that in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

# As much as the pipeline's own DuckDB gets.
_MEMORY = "2GB"
_FILES = {
    "events": "events/*.csv",
    "users": "crm/users.csv",
    "interests": "crm/interests.csv",
    "purchases": "shop/*.csv.gz",
    "ads": "ads/*.csv",
}


@dataclass(frozen=True)
class Loaded:
    """What DuckDB read, and in which time."""

    seconds: float
    rows: int


def loaded(landing: Path, database: Path) -> Loaded:
    """Run this module over `landing`; the database is removed."""
    command = [sys.executable, "-m", "benchmarks.scale_duckdb", str(landing), str(database)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        database.unlink(missing_ok=True)
    return Loaded(**json.loads(done.stdout))


def main() -> None:
    """Load everything, print the figures."""
    landing, database = Path(sys.argv[1]), sys.argv[2]
    started = time.perf_counter()
    connection = duckdb.connect(database, config={"memory_limit": _MEMORY})
    rows = 0
    for table, pattern in _FILES.items():
        if any(landing.glob(pattern)):
            connection.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv(?, ignore_errors = true)",
                [str(landing / pattern)],
            )
            rows += connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    connection.close()
    print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))


if __name__ == "__main__":
    main()
