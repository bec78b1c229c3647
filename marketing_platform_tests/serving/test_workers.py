"""Several processes behind one port are one API."""

from __future__ import annotations

import httpx
import pytest

from marketing_platform_tests.callers import bearer, new_key
from marketing_platform_tests.serving.conftest import Platform, await_until
from marketing_platform_tests.serving.figures import Figures
from marketing_platform_tests.serving.writing import served


@pytest.mark.long
def test_two_workers_answer_on_one_port_and_add_up_what_they_count(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    key = bearer(new_key(fresh_platform.settings))
    with served(fresh_platform.settings.data_dir, MARKETING_API_WORKERS="2") as running:

        def figures() -> Figures:
            return Figures(httpx.get(f"{running.url}/metrics", headers=key, timeout=10).text)

        def workers() -> set[str]:
            return {labels["pid"] for labels in figures().labels("process_resident_memory_bytes")}

        await_until(lambda: len(workers()) == 2, seconds=60)
        for _ in range(40):  # each on a connection of its own
            assert httpx.get(f"{running.url}/recommendations/u-1", headers=key, timeout=10).status_code == 200
        counted = {"route": "/recommendations/{user_id}", "status": "200"}
        assert figures().of("marketing_api_requests_total", **counted) == 40
        pids = workers()
        running.process.terminate()
        running.process.wait(30)
        assert str(running.process.pid) not in pids
