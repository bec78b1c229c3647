"""An e-mail says what is known of a person, and nothing that anybody typed gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.content.email.products import Recommended, Shown
from marketing_platform.content.email.rendering import LARGEST, FieldsUnfit, Rendered, Wish, render
from marketing_platform.content.email.texts import one_line
from marketing_platform.content.people import Bought, Interest, Person
from marketing_platform.errors import InputError, UnknownTemplate
from marketing_platform_tests.emails.people import (
    AT,
    PRODUCTS,
    UNSUBSCRIBE,
    nobody,
    person,
    rendered,
    templates,
)

NAMES = tuple(templates().by_name)
HOSTILE = [
    '"><script>alert(1)</script>',
    "</td></tr></table><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!-- --><!--[if mso]>",
    "\u202egnp.exe\u2066 \u0000\ud800 Z̵̵̵̵̵̵̵̵̵",
    "javascript:alert(1)",
    "Ada\r\nBcc: eve@example.com",
    "' onmouseover='x' style='background:url(https://evil.example)",
]
_ANY = st.one_of(st.text(max_size=200), st.sampled_from(HOSTILE))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements end in the order in which they began"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name in ("href", "src", "action")]


def text_of(email: Rendered) -> str:
    return " ".join("".join(Page(email.html).text).split())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en-GB", "de-AT", "fr", None])
def test_every_template_is_whole_for_somebody_and_for_nobody(name: str, language: str | None) -> None:
    for who, products in ((person(language=language), PRODUCTS), (replace(nobody(), language=language), [])):
        email = rendered(name, who, products)
        assert email.locale == ("de" if language == "de-AT" else "en")
        assert Page(email.html).open == []
        assert f'<html lang="{email.locale}"' in email.html
        assert "prefers-color-scheme:dark" in email.html.replace(" ", "")
        assert UNSUBSCRIBE in email.text
        assert UNSUBSCRIBE in Page(email.html).links
        assert len(email.html.encode()) < LARGEST
        for written in (email.subject, email.preview_text, email.text, text_of(email)):
            assert written.strip()
            assert not re.search(r"None|\{\{|\{%|jq[sv]\d", written)


def test_it_says_where_everything_is_from() -> None:
    used = rendered("weekly_picks").used
    assert (used["first_name"].value, used["first_name"].origin) == ("Ada", "profile")
    assert (used["interest"].value, used["interest"].origin) == ("Camping", "interests")
    picks = used["picks"].value
    assert [one.product_id for one in picks if isinstance(one, Shown)] == [one.product_id for one in PRODUCTS]
    nothing = rendered("weekly_picks", nobody(), []).used
    assert (nothing["first_name"].value, nothing["first_name"].origin) == ("Hello", "fallback")
    assert nothing["picks"].value == []
    given_name = rendered("weekly_picks", wish=Wish(fields={"first_name": "Grace"})).used["first_name"]
    assert (given_name.value, given_name.origin) == ("Grace", "given")


def test_products_say_what_of_theirs_they_go_with() -> None:
    text = rendered("weekly_picks").text
    assert "Polaris Down Sleeping Bag (Camping)\n  goes with your Birkvik 2-Person Tunnel Tent" in text
    thanks = rendered("thanks").used["picks"].value
    assert [one.because for one in thanks if isinstance(one, Shown)] == [
        "Birkvik 2-Person Tunnel Tent",
        "Birkvik 2-Person Tunnel Tent",
        "Ridgeline Boots",
    ]


def test_links_to_the_shop_carry_the_declared_parameters() -> None:
    email = rendered("win_back", wish=Wish(variant="offer_first", campaign="autumn"))
    shop = [link for link in Page(email.html).links if urlsplit(link).hostname == "shop.example.com"]
    assert len(shop) >= 5
    for link in shop:
        assert "utm_source=newsletter&utm_medium=email&utm_campaign=autumn&utm_content=offer_first" in link
    assert any("/p/p%205%2F5%3F?" in link for link in Page(rendered("weekly_picks").html).links)


def test_a_variant_words_it_otherwise() -> None:
    assert rendered("win_back").subject == "It has been a while, Ada"
    assert rendered("win_back", wish=Wish(variant="offer_first")).subject == "Free delivery until Sunday"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(variant="nope"), "control, offer_first"),
        (Wish(locale="fr"), "en, de"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(wish: Wish, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rendered("win_back", wish=wish)


def test_fields_that_cannot_be_used_are_named() -> None:
    fields = {"offer_url": "javascript:alert(1)", "first_name": "evil.example", "picks": "x", "nope": "x"}
    with pytest.raises(FieldsUnfit) as refused:
        rendered("win_back", wish=Wish(fields=fields))
    assert set(refused.value.problems) == set(fields)
    with pytest.raises(UnknownTemplate, match="did you mean 'thanks'"):
        templates().named("thank")


def test_a_page_that_grows_too_large_loses_products_and_is_refused_in_the_end() -> None:
    # Nothing that people type is long enough; a template that says everything three hundred times is.
    known = templates().named("weekly_picks")
    body = known.bodies["en"]
    environment = body.html.environment
    rows = environment.from_string("{% for one in picks %}{{ one.name * 300 }}{% endfor %}")
    long_names = [Recommended(f"p{n}", "n" * 80, "c", ()) for n in range(6)]
    grown = replace(known, bodies={"en": replace(body, html=rows)})
    patched = replace(templates(), by_name={"weekly_picks": grown})
    email = render(
        patched.named("weekly_picks"), patched.sending, person(), long_names, unsubscribe_url=UNSUBSCRIBE
    )
    assert len(email.used["picks"].value) == 4
    assert len(email.html.encode()) <= LARGEST
    endless = replace(known, bodies={"en": replace(body, html=environment.from_string("{{ 'x' * 200000 }}"))})
    with pytest.raises(InputError, match="larger than"):
        render(endless, patched.sending, person(), long_names, unsubscribe_url=UNSUBSCRIBE)


@st.composite
def people(draw: st.DrawFn) -> Person:
    bought = st.builds(Bought, _ANY, st.none() | _ANY, st.none() | _ANY, st.just(AT), st.none())
    interests = st.builds(Interest, _ANY, st.just(0.5), st.none(), st.just(1.0))
    return Person(
        user_id=draw(_ANY),
        name=draw(st.none() | _ANY),
        email=draw(st.none() | _ANY),
        country=draw(st.none() | _ANY),
        language=draw(st.none() | st.sampled_from(["en", "de-DE"]) | _ANY),
        marketing_consent=True,
        purchases=tuple(draw(st.lists(bought, max_size=2))),
        interests=tuple(draw(st.lists(interests, max_size=2))),
    )


_PRODUCTS = st.lists(
    st.builds(
        Recommended,
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
        _ANY,
        st.none() | _ANY,
        st.tuples(_ANY),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(people(), _PRODUCTS, st.sampled_from(NAMES), st.dictionaries(st.just("offer"), _ANY, max_size=1))
def test_nothing_that_anybody_typed_gets_out_of_its_place(
    who: Person, products: list[Recommended], name: str, fields: dict[str, str]
) -> None:
    """The elements of a page are those of its template, and of as many products as there are."""
    if name != "win_back" or not one_line(fields.get("offer", ""), 80):
        fields = {}
    email = rendered(name, who, products, Wish(fields=fields))
    page = Page(email.html)
    assert page.open == []
    shown = email.used["picks"].value
    plain = [
        Recommended("p", "Plain", one.category and "Plain", ("named" if one.because else "nameless",))
        for one in shown
        if isinstance(one, Shown)
    ]
    has = (Bought("named", "Plain", None, AT, None), Bought("nameless", None, None, AT, None))
    alike = rendered(name, replace(person(), purchases=has), plain, Wish(locale=email.locale))
    assert page.tags == Page(alike.html).tags
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in Page(alike.html).attributes}
    assert all(urlsplit(link).scheme in ("https", "mailto") for link in page.links)
    for line in (email.subject, email.preview_text):
        assert len(line.splitlines()) == 1
    assert len(email.html.encode()) <= LARGEST
    email.text.encode()
