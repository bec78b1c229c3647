"""More than a hundred users at once, with `locustfile.py`: `python -m benchmarks.crowd`, or `make crowd`.

Made sample data, one API process, and a mixed load of look-ups, figures and writes for half a minute. Ends
with one line of JSON, and with exit code 1 when any request failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import key_of, ours
from marketing_platform.access import Scope
from marketing_platform.cli.run import run_pipeline
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings

_MAY = (Scope.READ_RECOMMENDATIONS, Scope.READ_ANALYTICS, Scope.WRITE_DATA)


def crowd(port: int, key: str, *, users: int, seconds: int, folder: Path) -> dict[str, float]:
    """What all requests together came to."""
    command = [
        *(sys.executable, "-m", "locust", "--headless", "--only-summary"),
        *("-f", str(Path(__file__).with_name("locustfile.py")), "--host", f"http://127.0.0.1:{port}"),
        *("--users", str(users), "--spawn-rate", "30", "--run-time", f"{seconds}s"),
        *("--csv", str(folder / "load"), "--exit-code-on-error", "0"),
    ]
    subprocess.run(command, env={**os.environ, "MARKETING_KEY": key}, check=True)
    with (folder / "load_stats.csv").open() as lines:
        total = next(row for row in csv.DictReader(lines) if row["Name"] == "Aggregated")
    return {
        "users": users,
        "requests": int(total["Request Count"]),
        "failed": int(total["Failure Count"]),
        "per_s": round(float(total["Requests/s"]), 1),
        "p95_ms": float(total["95%"]),
    }


def main() -> None:
    """Make the data, serve it, let the crowd in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=120, help="at once (120)")
    parser.add_argument("--seconds", type=int, default=30, help="of load (30)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crowd-") as folder:
        settings = Settings(data_dir=Path(folder))  # pyright: ignore[reportCallIssue]
        write_sample(settings.landing_dir)
        run_pipeline(settings, quiet=True)
        with ours(settings) as port:
            found = crowd(
                port, key_of(settings, *_MAY), users=given.users, seconds=given.seconds, folder=Path(folder)
            )
    print(json.dumps(found))
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
