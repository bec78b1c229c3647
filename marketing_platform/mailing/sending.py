"""Sends a campaign: judges each member of its segment, claims the send, and lets the e-mail leave.

Running it again sends nothing twice and goes on where it was. Whoever is left out now for a reason that
passes (quiet hours, the cap) is looked at again by the next run within the period.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from marketing_platform.content.email.products import leaving_now
from marketing_platform.content.email.rendering import FieldsUnfit, Wish, render
from marketing_platform.content.email.spec import CONTROL, Campaign, Sending
from marketing_platform.content.email.templates import EmailTemplate, Templates
from marketing_platform.content.email.texts import as_address
from marketing_platform.content.people import Person
from marketing_platform.errors import MailUnavailable, ReleaseTooOld, StoreFull, StoreUnavailable
from marketing_platform.experiments.assigning import Experiments
from marketing_platform.mailing.audience import Audience
from marketing_platform.mailing.exposing import land_sent, with_sends
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.parcels import Ready, parcel, unsubscribe_url
from marketing_platform.mailing.transports import Outcome, Transport
from marketing_platform.recommenders.rules import LiveFacts, Rule
from marketing_platform.releases.erasures import Erasures
from marketing_platform.releases.mail import Claim, MailLedger, Send, State
from marketing_platform.releases.overrides import Overrides
from marketing_platform.stores.protocols import Objects

_AT_ONCE = 200  # members between two looks at suppressions and erasures
_log = logging.getLogger(__name__)


class LeftOut(StrEnum):
    """Why a member of the segment gets no e-mail now."""

    UNKNOWN_USER = "unknown_user"  # the release does not know them
    ERASED = "erased"
    OPTED_OUT = "opted_out"  # suppressed
    UNSUBSCRIBED = "unsubscribed"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    FIELDS_MISSING = "fields_missing"
    SENT_BEFORE = "sent_before"  # within the period, whatever became of it
    LATER = "later"  # refused for now, and its time to be tried again has not come


@dataclass(frozen=True)
class Mail:
    """What sending needs besides a release."""

    templates: Templates
    settings: MailSettings
    ledger: MailLedger
    overrides: Overrides
    erasures: Erasures
    rules: Sequence[Rule]  # that are looked at when a list leaves
    transport: Callable[[], Transport]
    objects: Objects  # the landing zone, for exposures


@dataclass
class Report:
    """What came of one run of a campaign."""

    campaign: str
    template: str
    segment: str
    period: str
    release_id: str
    members: int = 0
    ready: int = 0  # that would be sent, when nothing was to be sent
    sent: int = 0
    waiting: int = 0  # refused for now
    dead: int = 0
    unknown: int = 0
    abandoned: int = 0  # claims of processes that died, now unknown
    left_out: Counter[str] = field(default_factory=Counter[str])
    stopped: str | None = None  # why it did not come to its end

    def document(self) -> dict[str, Any]:
        """For machines."""
        left_out = {str(reason): count for reason, count in sorted(self.left_out.items())}
        return {**vars(self), "left_out": left_out}


def send_campaign(
    mail: Mail,
    audience: Audience,
    campaign: Campaign,
    *,
    clock: Callable[[], datetime],
    dry_run: bool = False,
) -> Report:
    """Send a campaign to its segment, as far as that may be done now; `dry_run` only says to how many.

    Raises:
        ReleaseTooOld: The release is older than the template allows.
        UnknownName: The release has no people or segments.
        InputError: An experiment has an arm that the template does not word.
        MailUnavailable: Nobody is there to send; once sending has begun the report says it instead.
    """
    template = mail.templates.named(campaign.template)
    now = clock()
    _require_fresh(audience, template, now)
    zone = ZoneInfo(mail.templates.sending.time_zones.default)
    report = Report(
        campaign=campaign.campaign,
        template=campaign.template,
        segment=campaign.segment,
        period=campaign.period(now.astimezone(zone).date()),
        release_id=audience.manifest.release_id,
    )
    members = audience.members(campaign.segment)
    report.members = len(members)
    run = _Run(
        mail,
        audience,
        campaign,
        template,
        report,
        clock,
        mail.ledger.signing_key(),
        with_sends(audience.experiments, mail.ledger),
    )
    if dry_run:
        report.ready = sum(1 for _ in run.ready(members))
        return report
    report.abandoned = mail.ledger.abandoned(now - mail.settings.lease)
    with mail.transport() as transport:
        for one in run.ready(members):
            try:
                run.send(transport, one)
            except MailUnavailable as error:
                report.stopped = str(error)
                break
    try:
        land_sent(mail.ledger, mail.objects)
    except (StoreUnavailable, StoreFull):
        _log.warning("exposures of e-mails have not landed; the next run lands them", exc_info=True)
    return report


@dataclass(frozen=True)
class _Run:
    """One campaign over its members."""

    mail: Mail
    audience: Audience
    campaign: Campaign
    template: EmailTemplate
    report: Report
    clock: Callable[[], datetime]
    key: bytes  # signs links to unsubscribe
    experiments: Experiments

    def ready(self, members: Sequence[str]) -> Iterator[Ready]:
        """Those who may get it now, with it; counts all others."""
        settled = self.mail.ledger.settled(self.campaign.campaign, self.report.period)
        for begin in range(0, len(members), _AT_ONCE):
            now = self.clock()
            facts = LiveFacts.now(self.mail.overrides, "product", now)
            erased = self.mail.erasures.masked(self.audience.manifest.created_at)
            unsubscribed = self.mail.ledger.unsubscribed()
            for user_id in members[begin : begin + _AT_ONCE]:
                if user_id in settled:
                    found: Ready | LeftOut = LeftOut.SENT_BEFORE
                elif user_id in erased:
                    found = LeftOut.ERASED
                elif user_id in unsubscribed:
                    found = LeftOut.UNSUBSCRIBED
                else:
                    found = self._judged(user_id, facts)
                if isinstance(found, LeftOut):
                    self.report.left_out[found] += 1
                else:
                    yield found

    def send(self, transport: Transport, one: Ready) -> None:
        """Claim, and let it leave; what became of it is kept and counted."""
        ledger, now = self.mail.ledger, self.clock()
        cap = self.mail.templates.sending.frequency_cap
        claim = ledger.claim(one.send, now=now, cap=cap.emails, window=timedelta(days=cap.days))
        if claim is not Claim.CLAIMED:
            self.report.left_out[_LEFT_OUT[claim]] += 1
            return
        try:
            outcome = transport.send(
                parcel(one, self.mail.settings, self.mail.templates.sending.brand, at=now)
            )
        except MailUnavailable:
            ledger.release_claim(one.send)
            raise
        state = self._settle(one.send, outcome, now)
        match state:
            case "sent":
                self.report.sent += 1
            case "waiting":
                self.report.waiting += 1
            case "dead":
                self.report.dead += 1
            case _:
                self.report.unknown += 1

    def _judged(self, user_id: str, facts: LiveFacts) -> Ready | LeftOut:
        person = self.audience.person(user_id)
        if person is None:
            return LeftOut.UNKNOWN_USER
        address = as_address(person.email or "")
        if reason := self._not_now(person, address, facts):
            return reason
        arm = self.experiments.assign(
            surface="email", about=self.template.name, user_id=user_id, day=self.clock().date()
        )
        stored = self.audience.products(user_id)
        products = leaving_now(stored, person, self.mail.rules, facts)
        url = unsubscribe_url(self.mail.settings, self.key, user_id)
        wish = Wish(variant=arm.variant if arm else CONTROL, campaign=self.campaign.campaign)
        sending = self.mail.templates.sending
        try:
            rendered = render(self.template, sending, person, products, unsubscribe_url=url, wish=wish)
        except FieldsUnfit:
            return LeftOut.FIELDS_MISSING
        send = Send(
            campaign=self.campaign.campaign,
            period=self.report.period,
            user_id=user_id,
            template=self.template.name,
            experiment=arm.experiment if arm and arm.exposed else None,
            variant=rendered.variant,
            release_id=self.report.release_id,
        )
        return Ready(person, address or "", send, rendered, url)

    def _not_now(self, person: Person, address: str | None, facts: LiveFacts) -> LeftOut | None:
        sending = self.mail.templates.sending
        if person.user_id in facts.opted_out:
            return LeftOut.OPTED_OUT
        if person.marketing_consent is not True:
            return LeftOut.NO_CONSENT
        if address is None:
            return LeftOut.NO_ADDRESS
        local = self.clock().astimezone(_zone(sending, person.country)).time()
        return LeftOut.QUIET_HOURS if sending.quiet_hours.hold(local) else None

    def _settle(self, send: Send, outcome: Outcome, now: datetime) -> State:
        ledger, settings = self.mail.ledger, self.mail.settings
        state: State = _STATES[outcome.state]
        if state == "waiting" and ledger.attempts(send) >= settings.attempts:
            state = "dead"
        again = now + timedelta(minutes=settings.wait_minutes) if state == "waiting" else None
        ledger.settle(send, state, problem=outcome.problem, next_at=again)
        if outcome.problem is not None:
            _log.warning("%s: %s (%s)", send.send_id, state, outcome.problem)
        return state


_STATES: dict[Literal["sent", "again", "refused", "unknown"], State] = {
    "sent": "sent",
    "again": "waiting",
    "refused": "dead",
    "unknown": "unknown",
}
_LEFT_OUT = {
    Claim.ALREADY: LeftOut.SENT_BEFORE,
    Claim.LATER: LeftOut.LATER,
    Claim.CAPPED: LeftOut.FREQUENCY_CAP,
    Claim.UNSUBSCRIBED: LeftOut.UNSUBSCRIBED,
}


def _require_fresh(audience: Audience, template: EmailTemplate, now: datetime) -> None:
    age = now - audience.manifest.created_at
    hours = template.declared.fresh_hours
    if age > timedelta(hours=hours):
        raise ReleaseTooOld(
            f"{audience.manifest.release_id} is {age.total_seconds() / 3600:.1f} hours old, {template.name}"
            f" is sent from releases of at most {hours:g}; publish a new one"
        )


@lru_cache(maxsize=512)
def _zone_named(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _zone(sending: Sending, country: str | None) -> ZoneInfo:
    zones = sending.time_zones
    return _zone_named(zones.by_country.get(country or "", zones.default))
