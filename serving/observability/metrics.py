"""The figures of the API, declared once, and how they are counted.

Labels take few values, all of them ours: templates of routes, names of areas, reasons of the code. A path, a
user or an address never becomes one. Each worker counts for itself; `exposition.py` adds them up, for which
every gauge says how (`multiprocess_mode`). What a datastore counts is declared beside it, in `stores/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # any other method
UNMATCHED = "unmatched"  # the route of requests that were refused before, or that met none

_REQUESTS = Counter(
    "marketing_api_requests", "Answers, by route, method and status.", ["route", "method", "status"]
)
_DURATION = Histogram(
    "marketing_api_request_duration_seconds",
    "From the head of a request to the last byte of its answer.",
    ["route", "method"],
    buckets=_SECONDS,
)
IN_FLIGHT = Gauge(
    "marketing_api_requests_in_flight",
    "Requests being answered, the one that asks for metrics included.",
    multiprocess_mode="livesum",
)
LINES_DROPPED = Counter(
    "marketing_api_log_lines_dropped", "Log lines dropped because nobody reads stdout fast enough."
)
LOOP_LAG = Gauge(
    "marketing_api_event_loop_lag_seconds",
    "How much later than asked for the event loop came back, of the slowest worker.",
    multiprocess_mode="livemax",
)

RELEASE_INFO = Gauge(
    "marketing_api_release_info",
    "How many workers serve this release.",
    ["release_id"],
    multiprocess_mode="livesum",
)
RELEASE_AGE = Gauge(
    "marketing_api_release_age_seconds",
    "Since the release that is served was made; of the oldest, where workers differ.",
    multiprocess_mode="livemax",
)
RELEASE_HELD = Gauge(
    "marketing_api_release_held_batches",
    "Landed batches that failed their gate and are left out of what is served.",
    multiprocess_mode="livemax",
)
RELEASE_BEHIND = Gauge(
    "marketing_api_release_behind",
    "1 while the pointer's release is not the one being served.",
    multiprocess_mode="livemax",
)
_OPENS = Counter(
    "marketing_api_release_opens", "Releases opened: the first, swapped to, or failed.", ["outcome"]
)
LIVE_PATH_READY = Gauge(
    "marketing_api_live_path_ready",
    "1 once messages typed now can be answered by every worker.",
    multiprocess_mode="livemin",
)

THREADS_BUSY = Gauge(
    "marketing_api_lookup_threads_busy",
    "Threads that ask a datastore.",
    ["area"],
    multiprocess_mode="livesum",
)
LOOKUPS_QUEUED = Gauge(
    "marketing_api_lookups_queued",
    "Questions that wait for a thread.",
    ["area"],
    multiprocess_mode="livesum",
)
_LOOKUP_FAILURES = Counter(
    "marketing_api_lookup_failures", "Questions that a datastore did not answer, or not in time.", ["area"]
)
_CIRCUIT = Gauge(
    "marketing_api_circuit_state",
    "0 while datastores are asked, 1 while one question tries them, 2 while they are left alone; the worst.",
    ["name"],
    multiprocess_mode="livemax",
)
_SHED = Counter("marketing_api_requests_shed", "Requests turned away because of overload.", ["reason"])
_EXPOSURES = Counter("marketing_api_exposures", "Exposures of experiments, written or lost.", ["outcome"])
SECURITY_EVENTS = Counter(
    "marketing_api_security_events",
    "Callers refused or limited, and data hidden or erased, by what and why.",
    ["kind", "reason"],
)

_CIRCUIT_VALUES: Mapping[str, int] = {"closed": 0, "half-open": 1, "open": 2}


def answered(route: str, method: str, status: int | None, seconds: float) -> None:
    """Count an answer, its method one of METHODS or OTHER; status None stands for one that never began."""
    requests, duration = _of_route(route, method, status)
    requests.inc()
    duration.observe(seconds)


def opened(outcome: Literal["first", "swapped", "failed"]) -> None:
    """Count an attempt to open a release."""
    _OPENS.labels(outcome).inc()


def lookup_failed(area: str) -> None:
    """Count a question to an area that its datastores did not answer."""
    _LOOKUP_FAILURES.labels(area).inc()


def exposures(outcome: Literal["written", "lost"], number: int) -> None:
    """Count exposures that became durable, or that could not be written."""
    _EXPOSURES.labels(outcome).inc(number)


def circuit(name: str, state: Literal["closed", "half-open", "open"]) -> None:
    """Say how it stands with the breaker `name`."""
    _CIRCUIT.labels(name).set(_CIRCUIT_VALUES[state])


def shed(reason: str) -> None:
    """Count a request turned away; `reason` is a constant of the code."""
    _SHED.labels(reason).inc()


@lru_cache(maxsize=4096)  # labels cost more to look up than a counter to raise; far fewer are in use
def _of_route(route: str, method: str, status: int | None) -> tuple[Counter, Histogram]:
    written = "none" if status is None else str(status)
    return _REQUESTS.labels(route, method, written), _DURATION.labels(route, method)
