"""Several processes that answer on one port; a signal to the first of them ends all."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from marketing_platform.settings import Settings
from serving import logs
from serving.app import create_app
from serving.limits.settings import LimitSettings
from serving.observability import tracing
from serving.observability.exposition import shared_by_workers


class _Config(uvicorn.Config):
    """uvicorn's, with our logging: the first that each process does with it, before signals are taken."""

    def configure_logging(self) -> None:
        """Called by uvicorn, in the process that starts the others too."""
        logs.configure()


def run(settings: Settings, limits: LimitSettings, options: Mapping[str, Any]) -> None:
    """Serve with `settings.api_workers` processes until told to end; one that dies is replaced.

    They are started anew, not forked, share the socket, and add up their figures (`/metrics`). Limits of
    clients hold for all of them only where processes can tell each other (Redis).
    """
    config = _Config(
        partial(_application, settings, limits), factory=True, workers=settings.api_workers, **options
    )
    with shared_by_workers():
        Multiprocess(config, sockets=[config.bind_socket()]).run()


def _application(settings: Settings, limits: LimitSettings) -> FastAPI:
    atexit.register(tracing.configure())
    return create_app(settings, limits=limits)
