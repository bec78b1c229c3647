"""A rendered e-mail as a message that is sent: text and page as alternatives, and the headers of bulk mail.

One-click unsubscription is RFC 8058, with the headers of RFC 2369.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy

from marketing_platform.content.email.texts import one_line

_LONGEST_NAME, _LONGEST_SUBJECT = 60, 200


class _Verbatim(UnstructuredHeader, BaseHeader):
    """A header that is one word: folded as usual, a long one would be encoded, and nobody would read it."""

    def fold(self, *, policy: Policy) -> str:
        """On one line, up to 998 characters of which RFC 5322 allows (section 2.1.1)."""
        return f"{self.name}: {self}\r\n"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Verbatim)
_POLICY = SMTP.clone(header_factory=_HEADERS)


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
    message = EmailMessage(policy=_POLICY)
    message["From"] = _mailbox(envelope.sender_name, envelope.sender)
    message["To"] = _mailbox(envelope.to_name or "", envelope.to)
    if envelope.reply_to:
        message["Reply-To"] = _mailbox("", envelope.reply_to)
    message["Subject"] = one_line(subject, _LONGEST_SUBJECT)
    message["Date"] = envelope.at
    message["Message-ID"] = f"<{envelope.message_id}>"
    for name, value in unsubscribe_headers(envelope.unsubscribe_url).items():
        message[name] = value
    message["Auto-Submitted"] = "auto-generated"
    if campaign:
        message["X-Campaign"] = campaign
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = locale
    # The same e-mail is the same bytes.
    message.set_boundary(f"=_{hashlib.sha256(envelope.message_id.encode()).hexdigest()[:32]}")
    return message


def _mailbox(name: str, address: str) -> Address:
    return Address(display_name=one_line(name, _LONGEST_NAME), addr_spec=address)
