"""One server of each kind for a whole test session: started when first asked for, ended with the process."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import cache

from marketing_platform_tests.servers.base import Running

# Set by `make test-servers`. Without it the contract suites neither need nor mention a server.
WITH_SERVERS = os.environ.get("MARKETING_TEST_SERVERS") == "1"

_started = ExitStack()


def end_all() -> None:
    """End the servers that this process started."""
    _started.close()


atexit.register(end_all)


@cache
def shared(running: Callable[[], AbstractContextManager[Running]]) -> Running:
    """The session's server of a module: `shared(postgres.running)`."""
    return _started.enter_context(running())
