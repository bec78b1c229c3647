"""Experiments and sending: a person stays in their arm, and who was sent one is exposed to it.

An exposure is kept with its send and lands after it, so that a run that was killed leaves it to the next.
"""

from __future__ import annotations

from dataclasses import replace

from marketing_platform.experiments.assigning import Experiments
from marketing_platform.ingestion.exposures import Exposure, land_exposures
from marketing_platform.releases.mail import MailLedger
from marketing_platform.stores.protocols import Objects

_TOGETHER = 1_000  # lines of one object


def with_sends(experiments: Experiments, ledger: MailLedger) -> Experiments:
    """The same experiments, which know of sends that the release has not heard of yet."""

    def first_arm(experiment: str, user_id: str) -> str | None:
        return ledger.first_arm(experiment, user_id) or experiments.first_arm(experiment, user_id)

    return replace(experiments, first_arm=first_arm)


def land_sent(ledger: MailLedger, objects: Objects) -> int:
    """Land the exposures of all sends that have not landed; returns how many. Twice does no harm."""
    landed = 0
    while sends := ledger.unexposed(_TOGETHER):
        exposures = [
            Exposure(
                experiment=one.send.experiment or "",
                variant=one.send.variant,
                user_id=one.send.user_id,
                at=one.claimed_at,
                surface="email",
                about=one.send.template,
                release_id=one.send.release_id,
            )
            for one in sends
        ]
        land_exposures(objects, exposures, by="mail")
        ledger.exposed(one.send for one in sends)
        landed += len(sends)
    return landed
