"""What is declared wrongly is said with file, line and key; what does not fit in a mail is not compiled."""

from __future__ import annotations

import shutil
from datetime import date, time
from pathlib import Path

import pytest

from marketing_platform.content.email.loading import load_templates
from marketing_platform.content.email.spec import Campaign, QuietHours
from marketing_platform.errors import EmailError
from marketing_platform.settings import PROJECT_DIR

TEMPLATE, BODY = "weekly_picks/template.yaml", "weekly_picks/body.en.mjml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT_DIR / "templates" / "email", tmp_path / "email")
    return tmp_path / "email"


def changed(folder: Path, name: str, old: str, new: str) -> str:
    """What loading says after this change."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(EmailError) as refused:
        load_templates(folder)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            TEMPLATE,
            "fresh_hours: 48",
            "fresh_hours: -1",
            ":3: fresh_hours: expected a number above 0",
        ),
        (TEMPLATE, "fresh_hours", "fresh_hour", "fresh_hour: expected one of description, fresh_hours"),
        (TEMPLATE, "type: products", "type: product", "type: expected one of name, text, url, products"),
        (
            TEMPLATE,
            "field: offer_url",
            "field: offer",
            "expected a name that ends in url",
        ),
        (TEMPLATE, ", de: Guten Tag", "", "fields.0.fallback: expected one for each of en, de, found en"),
        (
            TEMPLATE,
            "field: first_name",
            "field: brand",
            "another name, found 'brand', which is given",
        ),
        (TEMPLATE, "most: 6", "most: 0", "fields.2.most: expected a number of at least 1"),
        (TEMPLATE, "least: 0, most: 6", "least: 7, most: 6", "fields.2.least: expected at most 6, found 7"),
        (
            TEMPLATE,
            "variant: product_first",
            "variant: control",
            "expected another name than",
        ),
        (
            TEMPLATE,
            "{{ first_name }}, picked",
            "{{ name }}, picked",
            "of control.en: expected one of",
        ),
        (TEMPLATE, "{{ first_name }}, picked", "{{ first_name }, picked", "wording of control.en: line 1"),
        (
            TEMPLATE,
            "  de:\n    subject",
            "  fr:\n    subject",
            "variants.0.wording: expected the languages en, fr, found en, de",
        ),
        (
            "sending.yaml",
            "home: https://",
            "home: http://",
            "sending.yaml:5: home: expected an address",
        ),
        (
            "sending.yaml",
            "/p/{product_id}",
            "/p/",
            "expected an address with {product_id} in it",
        ),
        ("sending.yaml", "Europe/Vienna", "Europe/Wien", "time_zones.by_country.AT: expected a time zone"),
        ("sending.yaml", "schemes: [https, mailto]", "schemes: [http]", "links.schemes.0: expected"),
        (
            "campaigns.yaml",
            "template: thanks",
            "template: thank",
            "one of thanks, weekly_picks, win_back",
        ),
        ("campaigns.yaml", "every: week", "every: hour", "campaigns.0.every"),
        ("campaigns.yaml", "campaign: thanks", "campaign: win_back", "win_back', which campaigns.1 has too"),
    ],
)
def test_a_mistake_is_named_where_it_is(folder: Path, name: str, old: str, new: str, said: str) -> None:
    assert said in changed(folder, name, old, new)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("<h1><script>x</script>", "<script> has no place in a mail"),
        ('<h1 onclick="x">', "<h1 onclick>: scripts have no place in a mail"),
        ('<h1><a href="javascript:x">x</a>', "<a href>: expected an address with https or mailto"),
        ('<h1><a href="{{ first_name }}">x</a>', "expected a field whose name ends in url"),
        ('<h1><a href="https://x.example/{{ offer_url }}">x</a>', "a value is the whole address"),
        ('<h1><a href="{{ offer_url|upper }}">x</a>', "expected a field whose name ends in url"),
        ('<h1><img src="https://x.example/x.png">', "an <img> has no alt text"),
        ('<h1><img alt="" src="http://x.example/x.png">', "<img src>: expected an address with https"),
        ('<h1 style="color: {{ first_name }}">', "expected the colour or ink of a product"),
        ('<h1 style="background: url(https://x.example/x)">', "@import or url("),
        ('<h1 class="{{ first_name }}">', "expected no value but in"),
        ('<h1 class="{% if picks %}x{% endif %}">', "<h1 class> holds {% if picks %}"),
        ("<h1><style>h1 { color: {{ first_name }} }</style>", "<h1 style> holds {{ first_name }}"),
        ("<h1><style>@media print { p { color: {{ first_name }} } }</style>", "stands in <style>"),
        ("<h1><!-- {{ first_name }} -->", "stands in a comment"),
        ("<h1><form></form>", "<form> has no place"),
        ("<h1>{{ first_nam }}", "found 'first_nam' (did you mean 'first_name'?)"),
        ("<h1>{{ first_name|safe }}", "No filter named 'safe'"),
        ("<h1>{% for %}", "line 8: "),
        ("<h1>jqv1q", "used by the compiler itself"),
        ('<h1><mj-include path="nope.mjml"/>', "includes nope.mjml; parts/ has foot_de, foot_en, head"),
        ("<h1><b>", "not MJML"),
        ("<h1><mj-nope></mj-nope>", "<mj-nope> is no element of MJML"),
    ],
)
def test_what_does_not_belong_in_a_mail_is_not_compiled(folder: Path, new: str, said: str) -> None:
    assert said in changed(folder, BODY, "<h1>", new)


def test_values_that_a_compiler_would_lose_are_named(folder: Path) -> None:
    unused = '<mj-attributes><mj-class name="{{ interest }}" color="red"/>'
    assert "is lost when it is compiled" in changed(folder, "parts/head.mjml", "<mj-attributes>", unused)


def test_a_page_says_its_language(folder: Path) -> None:
    (folder / "weekly_picks" / "body.en.mjml").unlink()
    (folder / "weekly_picks" / "body.en.html").write_text("<html><body>{{ first_name }}</body></html>")
    with pytest.raises(EmailError, match="says no language"):
        load_templates(folder)
    (folder / "weekly_picks" / "body.en.html").write_text(
        "<html lang='en'><style>p{color:red}</style><body><p>{{ first_name }}</p></body></html>"
    )
    body = load_templates(folder).named("weekly_picks").bodies["en"]
    assert '<p style="color: red' in body.html.render({"first_name": "A & B"})
    assert "A &amp; B" in body.html.render({"first_name": "A & B"})


@pytest.mark.parametrize(
    ("every", "period"), [("once", "once"), ("day", "2027-01-01"), ("week", "2026-W53"), ("month", "2027-01")]
)
def test_a_period_is_named_after_its_day(every: str, period: str) -> None:
    campaign = Campaign.model_validate({"campaign": "c", "segment": "s", "template": "t", "every": every})
    assert campaign.period(date(2027, 1, 1)) == period


@pytest.mark.parametrize(
    ("start", "until", "at", "quiet"),
    [
        *(
            ("21:00", "08:00", "20:59", False),
            ("21:00", "08:00", "21:00", True),
            ("21:00", "08:00", "03:00", True),
        ),
        *(
            ("21:00", "08:00", "08:00", False),
            ("12:00", "13:00", "12:30", True),
            ("12:00", "13:00", "13:00", False),
        ),
    ],
)
def test_quiet_hours_may_go_over_midnight(start: str, until: str, at: str, quiet: bool) -> None:
    hours = QuietHours.model_validate({"from": start, "until": until})
    assert hours.hold(time.fromisoformat(at)) is quiet
