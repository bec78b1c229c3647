"""Paths that limits treat in a way of their own."""

from __future__ import annotations

# Asked by load balancers, which must not take overload for death.
PROBES = frozenset(
    prefix + path for prefix in ("", "/api/v1") for path in ("/health", "/health/live", "/health/ready")
)
BULK = frozenset({"/api/v1/data/bulk", "/api/v1/files"})  # where records are streamed in
# Whose answers are no JSON.
OTHER_MEDIA = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/metrics"})
_PAGES = "/api/v1/unsubscribe/"
_MAY_BE_OTHER = ("/vision-board", "/email")


def only_json(path: str) -> bool:
    """Whether whoever asks has to take JSON."""
    return path not in OTHER_MEDIA and not path.startswith(_PAGES) and not path.endswith(_MAY_BE_OTHER)


def is_probe(path: str) -> bool:
    """Whether it asks for the state of this process."""
    return path in PROBES
