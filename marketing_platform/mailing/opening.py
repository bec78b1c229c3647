"""Puts together what an installation sends with."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from marketing_platform.content.email.loading import load_templates
from marketing_platform.content.email.products import leaving_now
from marketing_platform.content.email.rendering import Rendered, Wish, render
from marketing_platform.content.email.templates import Templates
from marketing_platform.content.segments import load_segments
from marketing_platform.declarations import did_you_mean
from marketing_platform.errors import InputError, UnknownRelease
from marketing_platform.experiments.loading import load_declarations
from marketing_platform.mailing.audience import Audience
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.parcels import unsubscribe_url
from marketing_platform.mailing.sending import Mail, Report, send_campaign
from marketing_platform.mailing.transports import FolderTransport, SmtpTransport, Transport
from marketing_platform.recommenders.rules import LiveFacts, load_rules, rules_of_answers
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, from_environment, open_stores


def declared_templates(settings: Settings) -> Templates:
    """What the installation declares; EmailError when it is wrong."""
    return load_templates(settings.templates_dir / "email")


def misfits(settings: Settings, templates: Templates) -> list[str]:
    """What campaigns and experiments name and nobody declares: segments, templates, wordings of arms.

    Raises:
        SegmentError: A segment is declared wrongly.
        ExperimentError: An experiment is.
    """
    segments = load_segments(settings.segments_dir)
    wrong = [
        f"campaign {one.campaign}: there is no segment {one.segment!r}{did_you_mean(one.segment, segments)}"
        for one in templates.campaigns
        if one.segment not in segments
    ]
    for one in load_declarations(settings.experiments_dir).experiments:
        if one.surface != "email":
            continue
        if one.about not in templates.by_name:
            wrong.append(f"experiment {one.name}: there is no template {one.about!r}")
            continue
        known = templates.by_name[one.about].variants
        missing = [arm.arm for arm in one.arms if arm.arm not in known]
        if missing:
            said = f"{one.about} has no variant {', '.join(missing)}; it has {', '.join(known)}"
            wrong.append(f"experiment {one.name}: {said}")
    return wrong


def open_mail(settings: Settings, records: Records, stores: Stores) -> Mail:
    """What sending needs; nothing is contacted before it sends."""
    mail = from_environment(MailSettings)
    return Mail(
        templates=declared_templates(settings),
        settings=mail,
        ledger=records.mail,
        overrides=records.overrides,
        erasures=records.erasures,
        rules=rules_of_answers(load_rules(settings.rules_dir).products),
        transport=partial(_transport, settings, mail),
        objects=stores.objects,
    )


def send_now(
    settings: Settings,
    campaign: str,
    *,
    dry_run: bool = False,
    records: Records | None = None,
    stores: Stores | None = None,
) -> Report:
    """Send a declared campaign from the release that serves; raises what `send_campaign` raises.

    Raises:
        EmailError: Something declared is wrong.
        InputError: No such campaign, or no segment of the name that it gives.
        UnknownRelease: Nothing was released yet.
    """
    records = records or open_records(settings)
    stores = stores or open_stores(settings)
    mail = open_mail(settings, records, stores)
    declared = mail.templates.campaign(campaign)
    segments = load_segments(settings.segments_dir)
    if declared.segment not in segments:
        hint = did_you_mean(declared.segment, segments)
        raise InputError(f"campaign {campaign}: there is no segment {declared.segment!r}{hint}")
    with _audience(records, stores) as audience:
        return send_campaign(mail, audience, declared, clock=_now, dry_run=dry_run)


def render_one(settings: Settings, template: str, user_id: str, wish: Wish) -> Rendered:
    """The e-mail of one user, to look at: as `send_now` would make it now, whoever they are.

    Raises:
        InputError: The release knows no such user, or the e-mail cannot be made for them as wished.
        UnknownTemplate: No such template.
        UnknownRelease: Nothing was released yet.
    """
    records, stores = open_records(settings), open_stores(settings)
    mail, now = open_mail(settings, records, stores), _now()
    with _audience(records, stores) as audience:
        person, stored = audience.person(user_id), audience.products(user_id)
        if person is None:
            raise InputError(f"{audience.manifest.release_id} knows no user {user_id!r}")
        facts = LiveFacts.now(records.overrides, "product", now)
        return render(
            mail.templates.named(template),
            mail.templates.sending,
            person,
            leaving_now(stored, person, mail.rules, facts),
            unsubscribe_url=unsubscribe_url(mail.settings, records.mail.signing_key(), user_id),
            wish=wish,
        )


def _audience(records: Records, stores: Stores) -> Audience:
    current = records.shelf.current()
    if current is None:
        raise UnknownRelease("nothing was released yet; `marketing-platform run` makes a release")
    return Audience(stores, records.shelf.load(current))


def _transport(settings: Settings, mail: MailSettings) -> Transport:
    match mail.transport:
        case "folder":
            return FolderTransport(mail.folder or settings.data_dir / "mail")
        case "smtp":
            return SmtpTransport(mail)
        case "webhook":
            # Webhooks bring an HTTP client that others need not load.
            from marketing_platform.automations.webhook_settings import WebhookSettings
            from marketing_platform.mailing.webhook import WebhookTransport

            return WebhookTransport(mail, from_environment(WebhookSettings))


def _now() -> datetime:
    return datetime.now(UTC)
