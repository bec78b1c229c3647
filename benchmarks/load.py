"""Load from outside by `wrk` (github.com/wg/wrk), and what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from marketing_platform.errors import InputError

# A request for a random user; at the end everything in one line of JSON.
_SCRIPT = """
local users = {{{users}}}
local key = "{key}"
function init() math.randomseed({seed}) end
function request()
  return wrk.format("GET", "/api/v1/users/" .. users[math.random(#users)] .. "/recommendations",
    {{["Authorization"] = key}})
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{{"requests": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}}\\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """What clients saw; `failed` counts refused connections, time-outs and every status of 400 and above."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def put_on(
    port: int, users: Sequence[str], *, key: str, connections: int, seconds: float, seed: int = 0
) -> Load:
    """Ask for the recommendations of random `users` from so many connections, as fast as answers come."""
    if shutil.which("wrk") is None:
        raise InputError("wrk makes the load and is not installed: `apt install wrk` or `brew install wrk`")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        named = ",".join(f'"{user}"' for user in users)
        script.write(_SCRIPT.format(users=named, key=f"Bearer {key}", seed=seed))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s"]
        done = subprocess.run(
            [*command, script.name, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
        )
    return Load(**json.loads(done.stdout.splitlines()[-1]))
