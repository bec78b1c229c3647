"""The REST API: looks up what a release prepared, and says which release that was.

Each area (recommendations, features, graph, analytics, KPIs, questions, writes, suppressions, erasures,
health) has the same files: `endpoints.py` (HTTP), `service.py` (the look-up) and `schemas.py` (what OpenAPI
shows). Around them stand `access` (who may), `limits` (how much) and `observability` (what is seen of it).
Nothing here computes what the pipeline can prepare, and nothing here imports dagster, torch or pandas.
"""

from __future__ import annotations

import atexit
from typing import Any

from marketing_platform.settings import Settings

__all__ = ["run"]


def run(settings: Settings) -> None:
    """Serve until interrupted, on the address and port of `settings`."""
    import uvicorn

    from marketing_platform.stores.registry import from_environment
    from serving import logs, workers
    from serving.app import create_app
    from serving.limits.connections import guarded
    from serving.limits.settings import LimitSettings
    from serving.observability import tracing

    limits = from_environment(LimitSettings)
    options: dict[str, Any] = {
        "loop": "serving.limits.accepting:GreedyLoop",
        "http": guarded(limits),
        "ws": "none",
        "proxy_headers": bool(limits.trusted_proxies),
        "forwarded_allow_ips": limits.trusted_proxies,
        "timeout_keep_alive": limits.idle_seconds,
        "host": settings.api_host,
        "port": settings.api_port,
        "log_config": None,  # ours is in place
        "access_log": False,  # the middleware writes one line per request, without personal data
        "server_header": False,
        "timeout_graceful_shutdown": 10,
    }
    if settings.api_workers > 1:
        workers.run(settings, limits, options)
        return
    logs.configure()
    atexit.register(tracing.configure())
    uvicorn.run(create_app(settings, limits=limits), **options)
