"""The REST API: looks up what a release prepared, and says which release that was.

Each area (`recommendations`, `graph`, `analytics`, `health`) has the same files: `endpoints.py`
(HTTP), `service.py` (the look-up) and `schemas.py` (what OpenAPI shows). Nothing here computes
what the pipeline can prepare, and nothing here imports dagster, torch or pandas.
"""

from __future__ import annotations

import atexit

from marketing_platform.settings import Settings

__all__ = ["run"]


def run(settings: Settings) -> None:
    """Serve until interrupted, on the address and port of `settings`."""
    import uvicorn

    from serving import logs
    from serving.app import create_app
    from serving.observability import tracing

    logs.configure()
    atexit.register(tracing.configure())
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,  # ours is in place
        access_log=False,  # the middleware writes one line per request, without personal data
        server_header=False,
        timeout_graceful_shutdown=10,
    )
