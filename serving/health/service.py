"""The state of the process in one document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from marketing_platform.releases.manifest import Manifest
from serving import responses
from serving.access.gatekeeper import Gatekeeper
from serving.limits.rates import Rates
from serving.live import LivePath
from serving.lookups import Lookups
from serving.overrides import LiveOverrides
from serving.releases import ReleaseHolder


@dataclass(frozen=True)
class Parts:
    """What may be in trouble while a release is served."""

    holder: ReleaseHolder
    access: Gatekeeper
    live: LivePath
    lookups: Lookups
    overrides: LiveOverrides

    @property
    def problem(self) -> str | None:
        """The worst of it, in full."""
        opened = self.holder.problem or self.access.problem or self.live.problem
        return opened or self.lookups.problem or self.overrides.problem

    @property
    def concerned(self) -> list[str]:
        """What is in trouble, by name."""
        troubled = {
            "newest release": self.holder.problem,
            "keys": self.access.problem,
            "encoder": self.live.problem,
            "suppressions": self.overrides.problem,
        }
        failing = [area for area, state in self.lookups.areas.items() if state == "failing"]
        return [*(name for name, problem in troubled.items() if problem), *failing]


def health(parts: Parts, rates: Rates, manifest: Manifest, *, why: bool) -> bytes:
    """Degraded while release, keys, suppressions or live path cannot be opened, or a datastore fails.

    Args:
        parts: What may be in trouble.
        rates: Whether processes share what they count.
        manifest: Of the release that is served.
        why: Whether to quote reasons, which may name hosts, or to say what is concerned and no more.
    """
    concerned = parts.concerned
    return responses.to_json(
        {
            "status": "degraded" if concerned else "ok",
            "created_at": manifest.created_at,
            "age_seconds": round((datetime.now(UTC) - manifest.created_at).total_seconds(), 3),
            "live_path": parts.live.state,
            "areas": parts.lookups.areas,
            "degraded_reason": parts.problem if why else ", ".join(concerned) or None,
            "circuits": parts.lookups.circuits,
            "limits_shared": None if rates.shared is None else rates.shared == "closed",
        }
    )
