"""A rendered e-mail as a message that is sent: text and page as alternatives, and the headers of bulk mail.

One-click unsubscription is RFC 8058, with the headers of RFC 2369.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from marketing_platform.content.email.texts import one_line

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Envelope:
    """From whom, to whom, and which message of theirs it is."""

    sender: str  # an address of ours, in ASCII
    sender_name: str
    to: str  # an address, in ASCII
    to_name: str | None
    message_id: str  # without brackets; the same for the same send, however often it is tried
    at: datetime
    unsubscribe_url: str
    reply_to: str | None = None


def unsubscribe_headers(url: str) -> Mapping[str, str]:
    """What lets mail programs offer to unsubscribe with one click."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def compose(
    envelope: Envelope, *, subject: str, html: str, text: str, locale: str, campaign: str | None = None
) -> EmailMessage:
    """The message; what is not ASCII in headers is encoded, and no value can end a header."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _mailbox(envelope.sender_name, envelope.sender)
    message["To"] = _mailbox(envelope.to_name or "", envelope.to)
    if envelope.reply_to:
        message["Reply-To"] = _mailbox("", envelope.reply_to)
    message["Subject"] = one_line(subject, 200)
    message["Date"] = envelope.at
    message["Message-ID"] = f"<{envelope.message_id}>"
    message["Content-Language"] = locale
    for name, value in unsubscribe_headers(envelope.unsubscribe_url).items():
        message[name] = value
    message["Auto-Submitted"] = "auto-generated"
    if campaign:
        message["X-Campaign"] = campaign
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _mailbox(name: str, address: str) -> Address:
    return Address(display_name=one_line(name, _LONGEST_NAME), addr_spec=address)
