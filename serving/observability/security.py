"""Security events: one line each for whoever watches, and a flood of them is a number.

Refusals are told of by `exchange.end`, from the code they were answered with; what else matters to an auditor
(data hidden, a person erased) is told of by whoever does it, with `done`. Every event is counted in
`metrics.SECURITY_EVENTS`; of each kind at most `_LINES_PER_SECOND` are written, and the others are added up
in a line of the next second. A line names the caller by the id of its key and the client by its network (/24,
/48): enough to see an attack and to block it, while an address would say which household asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal

import structlog

from serving.observability import metrics

if TYPE_CHECKING:
    from fastapi import Request

    from serving.observability.exchange import Exchange

Kind = Literal[
    "unauthenticated", "forbidden", "rate_limited", "oversize", "malformed", "slow", "suppression", "erasure"
]

_BY_STATUS: Mapping[int, Kind] = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    408: "slow",
    413: "oversize",
    414: "oversize",
    429: "rate_limited",
    431: "oversize",
}
_LINES_PER_SECOND = 10  # of one kind
_NETWORK_BITS = {4: 24, 6: 48}
_log: Any = structlog.get_logger("serving.security")


@dataclass
class _Second:
    """What was written of one kind in the second at hand, and what was not."""

    began: float
    written: int = 0
    left_out: int = 0


class Floods:
    """Decides which lines are written; touched by the event loop only.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[Kind, _Second] = {}

    def admits(self, kind: Kind) -> bool:
        """Whether a line of this kind is to be written now."""
        now = self._clock()
        second = self._seconds.get(kind)
        if second is None or now - second.began >= 1:
            self._tell(kind, second)
            second = self._seconds[kind] = _Second(now)
        if second.written < _LINES_PER_SECOND:
            second.written += 1
            return True
        second.left_out += 1
        return False

    def settle(self) -> None:
        """Tell of what was left out in seconds that are over; to be called now and then."""
        now = self._clock()
        for kind, second in list(self._seconds.items()):
            if now - second.began >= 1:
                self._tell(kind, self._seconds.pop(kind))

    def _tell(self, kind: Kind, second: _Second | None) -> None:
        if second is not None and second.left_out:
            _log.warning("security events left out", kind=kind, left_out=second.left_out)


floods = Floods()


def event(
    kind: Kind,
    reason: str,
    *,
    principal: str | None,
    route: str | None,
    client: str | None,
    **details: Any,
) -> None:
    """Count an event and tell of it.

    Args:
        kind: What happened.
        reason: Why; a constant of the code, since it becomes the value of a label.
        principal: The id of who calls.
        route: The template of the route.
        client: The address of the client; only its network is written.
        details: More for the line; nothing personal.
    """
    metrics.SECURITY_EVENTS.labels(kind, reason).inc()
    if floods.admits(kind):
        _log.warning(
            "security",
            kind=kind,
            reason=reason,
            principal=principal,
            route=route,
            network=network_of(client),
            **details,
        )


def refused(exchange: Exchange) -> None:
    """Tell of a request that was answered with an error, if that error is one of security."""
    kind = _BY_STATUS.get(exchange.status or 0)
    if kind is None or exchange.code is None:
        return
    # Only why a credential is not taken is known more closely than by the code.
    reason = exchange.reason if kind == "unauthenticated" and exchange.reason else exchange.code
    event(
        kind,
        reason,
        principal=exchange.principal or exchange.refused_key,
        route=exchange.route,
        client=exchange.client,
        request_id=exchange.id,
    )


def refused_unseen(status: int, code: str, client: str | None) -> None:
    """Tell of a request that was refused before there was one, if its error is one of security."""
    kind = _BY_STATUS.get(status)
    if kind is not None:
        event(kind, code, principal=None, route=None, client=client)


def done(request: Request, kind: Kind, reason: str) -> None:
    """Tell of something that matters to an auditor, in the request of whoever asked for it."""
    event(
        kind,
        reason,
        principal=request.state.principal.id,
        route=request.scope["route"].path_format,
        client=request.client.host if request.client else None,
    )


def network_of(address: str | None) -> str | None:
    """The /24 or /48 that an address belongs to; None for what is none."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    return str(ip_network((parsed.packed, _NETWORK_BITS[parsed.version]), strict=False))
