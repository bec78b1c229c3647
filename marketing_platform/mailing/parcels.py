"""Makes of a rendered e-mail and a person what leaves: the message, and the same for those who are called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from marketing_platform.content.email.message import Envelope, compose, unsubscribe_headers
from marketing_platform.content.email.rendering import Rendered
from marketing_platform.content.email.texts import as_name
from marketing_platform.content.email.unsubscribing import PATH, unsubscribe_token
from marketing_platform.content.people import Person
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.transports import Parcel
from marketing_platform.releases.mail import Send

LONGEST_NAME = 60  # of whoever gets it


@dataclass(frozen=True)
class Ready:
    """A person who may get an e-mail, and the e-mail."""

    person: Person
    address: str
    send: Send
    rendered: Rendered
    unsubscribe_url: str


def unsubscribe_url(settings: MailSettings, key: bytes, user_id: str) -> str:
    """Where a person says that they want no more e-mails."""
    return settings.public_url.rstrip("/") + PATH + unsubscribe_token(key, user_id)


def envelope(
    settings: MailSettings, brand: str, *, to: str, name: str | None, message: str, at: datetime, url: str
) -> Envelope:
    """From the installation's address to a person; `message` names the e-mail, `url` unsubscribes."""
    return Envelope(
        sender=settings.sender,
        sender_name=brand,
        to=to,
        to_name=as_name(name or "", LONGEST_NAME),
        message_id=f"{message}@{settings.sender.rpartition('@')[2]}",
        at=at,
        unsubscribe_url=url,
        reply_to=settings.reply_to,
    )


def parcel(one: Ready, settings: MailSettings, brand: str, *, at: datetime) -> Parcel:
    """What leaves; the same send has the same Message-ID, however often it is tried."""
    send, rendered = one.send, one.rendered
    addressed = envelope(
        settings,
        brand,
        to=one.address,
        name=one.person.name,
        message=send.send_id,
        at=at,
        url=one.unsubscribe_url,
    )
    message = compose(
        addressed,
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        locale=rendered.locale,
        campaign=send.campaign,
    )
    document: dict[str, object] = {
        "type": "email.send",
        "send_id": send.send_id,
        "campaign": send.campaign,
        "template": rendered.template,
        "variant": rendered.variant,
        "locale": rendered.locale,
        "release_id": send.release_id,
        "from": settings.sender,
        "from_name": brand,
        "to": one.address,
        "to_name": addressed.to_name,
        "reply_to": settings.reply_to,
        "subject": rendered.subject,
        "preview_text": rendered.preview_text,
        "html_content": rendered.html,
        "text_content": rendered.text,
        "headers": {**unsubscribe_headers(one.unsubscribe_url), "Content-Language": rendered.locale},
    }
    return Parcel(send.send_id, settings.sender, one.address, message, document)
