"""What a signed call does once it was verified: lands its body as a file, or asks for a run.

Both are done so that doing them again changes nothing, before the call is remembered: a kill in between costs
nothing, and the sender's next attempt finishes it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime

import orjson

from marketing_platform.automations.declared import CALL, Hook
from marketing_platform.automations.signing import Signed
from marketing_platform.errors import AlreadyThere, MarketingPlatformError
from marketing_platform.releases.calls import Call, Calls, RunAsked
from marketing_platform.stores.protocols import Objects


class CallReplayed(MarketingPlatformError):
    """The very same message came before: somebody sends again what they did not sign."""


class CallReused(MarketingPlatformError):
    """The id came before with another body."""


def take_call(
    hook: Hook, signed: Signed, body: bytes, *, calls: Calls, objects: Objects, now: datetime
) -> bytes:
    """Do what the hook does, once per `webhook-id`; the receipt, as JSON.

    A sender that did not hear the answer signs the same id and body anew, with a later timestamp, and gets
    the same receipt.

    Raises:
        CallReplayed: Id, timestamp and body came before.
        CallReused: The id came before with another body.
    """
    fingerprint = hashlib.sha256(body).hexdigest()
    if known := calls.find(hook.name, signed.call_id):
        return _again(known, signed, fingerprint)
    name = hashlib.sha256(f"{hook.name} {signed.call_id} {fingerprint}".encode()).hexdigest()[:24]
    receipt = {"call_id": signed.call_id, "hook": hook.name, "received_at": now.astimezone(UTC)}
    run = None
    if hook.land is not None:
        landed = hook.land.replace(CALL, name)
        with suppress(AlreadyThere):  # this very call, before a kill
            objects.create(landed, [body])
        receipt |= {"status": "landed", "object": landed, "job": None}
    else:
        run = RunAsked(name, str(hook.run), now)
        receipt |= {"status": "asked", "object": None, "job": hook.run}
    answer = orjson.dumps(receipt, option=orjson.OPT_UTC_Z)
    call = Call(hook.name, signed.call_id, signed.timestamp, fingerprint, now, answer.decode())
    if not calls.note(call, run=run):
        # Another process took it at the same moment.
        known = calls.find(hook.name, signed.call_id)
        return _again(known, signed, fingerprint) if known else answer
    return answer


def _again(known: Call, signed: Signed, fingerprint: str) -> bytes:
    if known.fingerprint != fingerprint:
        raise CallReused(f"{known.call_id} came before with another body")
    if known.signed_at == signed.timestamp:
        raise CallReplayed(f"{known.call_id} came before, signed at the same moment")
    return known.receipt.encode()
