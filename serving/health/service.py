"""The state of the process in one document."""

from __future__ import annotations

from datetime import UTC, datetime

from marketing_platform.releases.manifest import Manifest
from serving import responses
from serving.access.gatekeeper import Gatekeeper
from serving.live import LivePath
from serving.lookups import Lookups
from serving.releases import ReleaseHolder


def health(
    holder: ReleaseHolder, access: Gatekeeper, live: LivePath, lookups: Lookups, manifest: Manifest
) -> bytes:
    """Degraded while release, keys or live path cannot be opened, or a datastore fails."""
    reason = holder.problem or access.problem or live.problem or lookups.problem
    return responses.to_json(
        {
            "status": "degraded" if reason else "ok",
            "created_at": manifest.created_at,
            "age_seconds": round((datetime.now(UTC) - manifest.created_at).total_seconds(), 3),
            "live_path": live.state,
            "degraded_reason": reason,
        }
    )
