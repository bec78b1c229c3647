"""Paths that limits treat in a way of their own."""

from __future__ import annotations

# Asked by load balancers, which must not take overload for death.
PROBES = frozenset(
    prefix + path for prefix in ("", "/api/v1") for path in ("/health", "/health/live", "/health/ready")
)
BULK = frozenset({"/api/v1/data/bulk", "/api/v1/files"})  # where records are streamed in
# Whose answers are no JSON.
_OTHER_MEDIA = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/metrics"})
_OTHER_MEDIA_ENDS = ("/vision-board",)


def answers_other_media(path: str) -> bool:
    """Whether what it answers need not be JSON."""
    return path in _OTHER_MEDIA or path.endswith(_OTHER_MEDIA_ENDS)


def is_probe(path: str) -> bool:
    """Whether it asks for the state of this process."""
    return path in PROBES
