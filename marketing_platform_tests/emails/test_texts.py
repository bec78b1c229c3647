"""Whatever is typed becomes one line, a name, an address, or nothing."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.content.email.texts import as_address, as_name, as_url, one_line, tracked

SCHEMES = ("https", "mailto")


@given(st.text(), st.integers(2, 100))
def test_a_line_has_no_control_no_direction_and_no_more_than_its_length(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert len(line) <= longest
    assert len(line.splitlines()) <= 1
    assert {unicodedata.category(one) for one in line if one not in "\u200c\u200d"}.isdisjoint(
        {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )
    assert one_line(line, longest) == line
    line.encode()


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert one_line(text, 1_000) == unicodedata.normalize("NFC", text)


def test_marks_do_not_pile_up_and_signs_are_not_cut_in_two() -> None:
    assert one_line("Z" + "\u0335" * 40 + "o", 80) == "Z" + "\u0335" * 3 + "o"
    family = "👩\u200d👩\u200d👧"
    assert one_line(f"ab{family}", 5) == "ab…"
    assert one_line("\u202eevil\u2066 name\u2028next", 80) == "evil name next"


@pytest.mark.parametrize(
    "name",
    ["Ada", "Łukasz", "O'Brien", "Jean-Luc", "José María", "王小明", "نور", "D. van Dijk", "J.", "Ο’Νιλ"],
)
def test_names_of_people_are_names(name: str) -> None:
    assert as_name(name, 40) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "text",
    ["evil.example", "http://evil.example", "a@b.example", "Win 100 €", "<b>", "🙂", " ", "\u202e", "x" * 41],
)
def test_what_could_be_read_as_an_address_or_says_more_is_no_name(text: str) -> None:
    assert as_name(text, 40) is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example.com/a?b=c#d", "https://shop.example.com/a?b=c#d"),
        ("https://shop.example.com:8443/ä b".replace(" ", "%20"), "https://shop.example.com:8443/%C3%A4%20b"),
        ("https://müsli.example/", "https://xn--msli-0ra.example/"),
        ('https://e.example/"><script>', "https://e.example/%22%3E%3Cscript%3E"),
        ("mailto:help@example.com", "mailto:help@example.com"),
    ],
)
def test_addresses_of_links_are_ascii(text: str, url: str) -> None:
    assert as_url(text, SCHEMES) == url


@pytest.mark.parametrize(
    "text",
    [
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "http://shop.example.com/",
            "//e.example",
        ),
        *(
            "https://user@e.example/",
            "https:///x",
            "https://e.example\\@shop.example.com",
            "https://e example/",
        ),
        *(
            "https://e.example:port/",
            "https://[::1",
            "java\nscript:x",
            "https://e\u202e.example",
            "",
            "/relative",
        ),
        *(
            "mailto:a@b.example?bcc=c@d.example",
            "mailto:<x>",
            f"https://e.example/{'x' * 2_000}",
            "https:shop",
        ),
    ],
)
def test_other_addresses_lead_nowhere(text: str) -> None:
    assert as_url(text, SCHEMES) is None


@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://e.example/", "mailto:", "https://é"]))
def test_any_address_is_safe_or_refused(text: str, start: str) -> None:
    url = as_url(start + text, SCHEMES)
    if url is not None:
        assert urlsplit(url).scheme in SCHEMES
        assert url.isascii()
        assert url.isprintable()
        assert not set(url) & set(" \"'<>\\") - {"'"}
        assert as_url(url, SCHEMES) == url


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        (" ada+news@mail.example.co.uk ", "ada+news@mail.example.co.uk"),
        ("ada@müsli.example", "ada@xn--msli-0ra.example"),
    ],
)
def test_addresses_that_mail_goes_to(text: str, address: str) -> None:
    assert as_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ada",
            "ada@",
            "@example.com",
            "a@b",
            "ada@example.com\r\nBcc: eve@example.com",
            "a b@example.com",
        ),
        *("ada@example..com", ".ada@example.com", "a..b@example.com", "ada@exam ple.com", "ädä@example.com"),
        *(
            '"ada"@example.com',
            "ada@example.com, eve@example.com",
            "<ada@example.com>",
            f"{'x' * 65}@example.com",
        ),
    ],
)
def test_what_no_mail_is_sent_to(text: str) -> None:
    assert as_address(text) is None


def test_only_links_to_our_own_hosts_carry_parameters() -> None:
    own, parameters = ("shop.example.com",), {"utm_source": "news letter", "utm_medium": "email"}
    assert (
        tracked("https://shop.example.com/p?a=1&utm_medium=x#top", parameters, own)
        == "https://shop.example.com/p?a=1&utm_medium=x&utm_source=news%20letter#top"
    )
    for foreign in ("https://other.example/p", "mailto:help@example.com"):
        assert tracked(foreign, parameters, own) == foreign
