"""The state of the process in one document."""

from __future__ import annotations

from datetime import UTC, datetime

from marketing_platform.releases.manifest import Manifest
from serving import responses
from serving.live import LivePath
from serving.lookups import Lookups
from serving.releases import ReleaseHolder


def health(
    holder: ReleaseHolder, live: LivePath, lookups: Lookups, manifest: Manifest, *, why: bool
) -> bytes:
    """Degraded while the pointer's release or the live path cannot be opened, or a datastore fails.

    Args:
        holder: Which release is served.
        live: Whether the live path is open.
        lookups: Whether datastores answer.
        manifest: Of the release that is served.
        why: Whether to quote reasons, which may name hosts, or to say what is concerned and no more.
    """
    parts = _concerned(holder, live, lookups)
    reason = holder.problem or live.problem or lookups.problem
    return responses.to_json(
        {
            "status": "degraded" if parts else "ok",
            "created_at": manifest.created_at,
            "age_seconds": round((datetime.now(UTC) - manifest.created_at).total_seconds(), 3),
            "live_path": live.state,
            "areas": lookups.areas,
            "degraded_reason": reason if why else ", ".join(parts) or None,
        }
    )


def _concerned(holder: ReleaseHolder, live: LivePath, lookups: Lookups) -> list[str]:
    failing = [area for area, state in lookups.areas.items() if state == "failing"]
    newest = ["newest release"] if holder.problem else []
    encoder = ["encoder"] if live.problem else []
    return [*newest, *encoder, *failing]
