"""The peak counts what the whole process resides in: every thread, and memory of native libraries."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from scipy import sparse

from marketing_platform.recommenders.evaluation.memory import MemoryPeak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak cannot begin anew")


def held() -> float:
    with MemoryPeak() as peak:
        pass
    return peak.gigabytes


def test_a_peak_of_another_thread_counts_and_the_next_one_begins_anew() -> None:
    before = held()
    with MemoryPeak() as peak:
        worker = threading.Thread(target=lambda: np.ones(100_000_000))
        worker.start()
        worker.join()
    assert peak.gigabytes > before + 0.6  # others of this process may give some back meanwhile
    assert held() < peak.gigabytes - 0.4


def test_memory_of_a_native_solver_counts() -> None:
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    taken = sparse.random(200_000, 50, density=0.01, format="csr", dtype=np.float32, rng=0)
    before = held()
    with MemoryPeak() as peak, threadpool_limits(1, "blas"):
        solver = AlternatingLeastSquares(factors=128, iterations=1, num_threads=1)
        solver.fit(taken, show_progress=False)
    assert peak.gigabytes > before + 0.1, "the vectors of users alone are 0.1 GB"
