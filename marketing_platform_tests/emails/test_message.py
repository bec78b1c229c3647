"""A message is read back as it was meant, whatever names and subjects are made of."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.content.email.message import Envelope, compose
from marketing_platform.content.email.texts import one_line
from marketing_platform.content.email.unsubscribing import unsubscribe_token, user_of
from marketing_platform_tests.emails.people import AT, UNSUBSCRIBE, person, rendered

HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("Auto-Submitted", "MIME-Version", "Content-Type", "Content-Language"),
}


def envelope(to_name: str | None = "Ada Example", url: str = UNSUBSCRIBE) -> Envelope:
    return Envelope(
        "news@shop.example.com", "Northlight", "ada@example.com", to_name, "1a2b@shop.example.com", AT, url
    )


def read(message: EmailMessage) -> EmailMessage:
    found = message_from_bytes(message.as_bytes(), policy=SMTP)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def test_it_is_read_back_whole_and_is_the_same_bytes_again() -> None:
    email = rendered("weekly_picks", person(language="de"))

    def made() -> EmailMessage:
        said = {"subject": email.subject, "html": email.html, "text": email.text}
        return compose(envelope(), **said, locale="de", campaign="weekly")

    assert made().as_bytes() == made().as_bytes()
    found = read(made())
    assert set(found.keys()) == HEADERS | {"X-Campaign"}
    assert found["Subject"] == email.subject
    assert found["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["Content-Language"] == "de"
    text, html = found.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == email.text
    assert html.get_content().replace("\r\n", "\n").rstrip("\n") == email.html.rstrip("\n")


def test_the_link_to_unsubscribe_is_never_encoded() -> None:
    url = "https://api.example.com/api/v1/unsubscribe/" + unsubscribe_token(b"k", "u" * 256)
    raw = compose(envelope(url=url), subject="s", html="<p>", text="t", locale="en").as_bytes()
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.none() | st.text(max_size=300))
def test_no_name_and_no_subject_ends_a_header(subject: str, to_name: str | None) -> None:
    made = compose(envelope(to_name), subject=subject, html="<p>x</p>", text="x", locale="en")
    found = read(made)
    assert set(found.keys()) == HEADERS
    assert found["To"].addresses[0].addr_spec == "ada@example.com"
    assert len(found["To"].addresses) == 1
    assert " ".join(found["Subject"].split()) == " ".join(one_line(subject, 200).split())


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=256), st.binary(min_size=1, max_size=32))
def test_a_token_says_who_and_nobody_else_makes_one(user_id: str, key: bytes) -> None:
    token = unsubscribe_token(key, user_id)
    assert user_of(key, token) == user_id
    assert user_of(key + b"x", token) is None
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize(
    "token", ["", ".", "a", "dS0x", "dS0x.", ".c2ln", "dS0x.c2ln", "ä.ö", "dS0x.c2ln.x", "_w.c2ln"]
)
def test_what_is_no_token_says_nobody(token: str) -> None:
    assert user_of(b"key", token) is None
