"""Fills a template with what is known of one person; the same input gives the same e-mail.

Every value is judged before the engine sees it (`texts.py`) and escaped by the engine where it stands. What
was used for each field, and where it was from, is told with the e-mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from marketing_platform.content.email.products import Recommended, Shown, complements, shown
from marketing_platform.content.email.spec import (
    CONTROL,
    PersonSource,
    ProductsField,
    Sending,
    TextField,
    UrlField,
)
from marketing_platform.content.email.templates import EmailTemplate
from marketing_platform.content.email.texts import as_name, as_url, one_line, tracked
from marketing_platform.content.people import Person
from marketing_platform.errors import InputError

LARGEST = 102_000  # bytes of a page; Gmail hides what is behind some 102 kB
_LONGEST_SUBJECT, _LONGEST_PREVIEW = 150, 200
Origin = Literal["given", "profile", "purchases", "interests", "recommendations", "fallback"]
_ORIGINS: Mapping[PersonSource, Origin] = {
    "first_name": "profile",
    "name": "profile",
    "country": "profile",
    "last_purchase": "purchases",
    "last_category": "purchases",
    "top_interest": "interests",
}


class FieldsUnfit(InputError):
    """Fields that are missing, or given and not usable; `problems` says what is wrong with each."""

    def __init__(self, template: str, problems: Mapping[str, str]) -> None:
        said = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        super().__init__(f"{template}: {said}")
        self.problems = problems


@dataclass(frozen=True)
class Wish:
    """How an e-mail is wanted."""

    locale: str | None = None  # the person's, as near as there is
    variant: str = CONTROL
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    campaign: str | None = None


@dataclass(frozen=True)
class Used:
    """What stands in the place of a field, and where it is from."""

    value: str | Sequence[Shown]
    origin: Origin


@dataclass(frozen=True)
class Rendered:
    """An e-mail, without the address it goes to."""

    template: str
    locale: str
    variant: str
    subject: str
    preview_text: str
    html: str
    text: str
    used: Mapping[str, Used]


def render(
    template: EmailTemplate,
    sending: Sending,
    person: Person,
    products: Sequence[Recommended],
    *,
    unsubscribe_url: str,
    wish: Wish | None = None,
) -> Rendered:
    """The e-mail for a person.

    Args:
        template: Compiled.
        sending: What holds for every e-mail.
        person: Whom it is for.
        products: Recommended to them, best first, and what else goes with what they have (`leaving_now`).
        unsubscribe_url: Where they say that they want no more of it.
        wish: Language, variant and values of fields.

    Raises:
        FieldsUnfit: A required field has no value, a given one is not declared or not usable, or there are
            too few products.
        InputError: No such variant or language, or the page stays too large without products.
    """
    wish = wish or Wish()
    variant = template.require_variant(wish.variant)
    if wish.locale is not None and wish.locale not in template.locales:
        raise InputError(
            f"{template.name} is not in {wish.locale[:40]!r}; it is in {', '.join(template.locales)}"
        )
    locale = wish.locale or template.locale_for(person.language)
    parameters = _tracking(template, sending, wish, variant)
    used = _Filling(template, sending, person, locale, parameters).fill(products, wish.fields)
    values = {
        "brand": sending.brand,
        "postal_address": sending.postal_address,
        "home_url": _tracked(sending.home, parameters, sending.links.own_hosts),
        "unsubscribe_url": unsubscribe_url,
        "locale": locale,
        "variant": variant,
    }
    return _fitting(template, locale, variant, values, used)


def _fitting(
    template: EmailTemplate, locale: str, variant: str, given: Mapping[str, Any], used: Mapping[str, Used]
) -> Rendered:
    """The e-mail with as many of the products as it has room for."""
    headline, body = template.headlines[locale, variant], template.bodies[locale]
    while True:
        values = {**given, **{name: one.value for name, one in used.items()}}
        subject = one_line(headline.subject.render(values), _LONGEST_SUBJECT)
        preview = one_line(headline.preview.render(values), _LONGEST_PREVIEW)
        values |= {"subject": subject, "preview": preview}
        html = body.html.render(values)
        if len(html) * 4 <= LARGEST or len(html.encode()) <= LARGEST:
            text = body.text.render(values)
            return Rendered(template.name, locale, variant, subject, preview, html, text, used)
        used = _with_fewer(template, used)


def _with_fewer(template: EmailTemplate, used: Mapping[str, Used]) -> Mapping[str, Used]:
    for each in template.declared.fields:
        value = used[each.field].value
        if isinstance(each, ProductsField) and len(value) > each.least:
            return {**used, each.field: Used(value[:-1], used[each.field].origin)}
    raise InputError(
        f"{template.name}: its page is larger than {LARGEST:,} bytes; mail programs would cut it"
    )


@dataclass(frozen=True)
class _Filling:
    """Finds the values of a template's fields."""

    template: EmailTemplate
    sending: Sending
    person: Person
    locale: str
    parameters: tuple[tuple[str, str], ...]

    def fill(self, products: Sequence[Recommended], given: Mapping[str, str]) -> Mapping[str, Used]:
        problems: dict[str, str] = {}
        used: dict[str, Used] = {}
        declared = {one.field: one for one in self.template.declared.fields}
        for name in given:
            if name not in declared or isinstance(declared[name], ProductsField):
                own = [one.field for one in declared.values() if not isinstance(one, ProductsField)]
                problems[name[:100]] = f"is no field that can be given; those are {', '.join(own) or 'none'}"
        for name, each in declared.items():
            match each:
                case ProductsField():
                    found = self._products(each, products)
                    missing = f"needs {each.least} products, there are {len(found)}"
                    used[name] = Used(found, "recommendations")
                    if len(found) < each.least:
                        problems[name] = missing
                case TextField() | UrlField():
                    value, origin = self._value(each, given.get(name))
                    used[name] = Used(value or "", origin)
                    if value is None:
                        problems[name] = "is not usable as it is given" if name in given else "is missing"
        if problems:
            raise FieldsUnfit(self.template.name, problems)
        return used

    def _value(self, each: TextField | UrlField, given: str | None) -> tuple[str | None, Origin]:
        if given is not None:
            return self._fit(each, given), "given"
        if isinstance(each, TextField) and each.source is not None:
            known = self._known(each.source)
            fit = self._fit(each, known) if known else None
            if fit:
                return fit, _ORIGINS[each.source]
        fallback = each.fallback.get(self.locale)
        return (self._fit(each, fallback) if fallback is not None else None), "fallback"

    def _fit(self, each: TextField | UrlField, text: str) -> str | None:
        if isinstance(each, UrlField):
            url = as_url(text, self.sending.links.schemes)
            return url and _tracked(url, self.parameters, self.sending.links.own_hosts)
        return as_name(text, each.longest) if each.type == "name" else one_line(text, each.longest) or None

    def _known(self, source: PersonSource) -> str | None:
        person = self.person
        match source:
            case "name":
                return person.name
            case "first_name":
                return next(iter((person.name or "").split()), None)
            case "country":
                return person.country
            case "last_purchase":
                return person.purchases[0].name if person.purchases else None
            case "last_category":
                return person.purchases[0].category if person.purchases else None
            case "top_interest":
                return person.interests[0].interest if person.interests else None

    def _products(self, each: ProductsField, products: Sequence[Recommended]) -> Sequence[Shown]:
        if each.source == "complements":
            products = complements(products, self.person)
        else:
            products = [one for one in products if one.listed]
        chosen = products[: each.most]
        urls = [
            _product_url(
                self.sending.product_url, one.product_id, self.parameters, self.sending.links.own_hosts
            )
            for one in chosen
        ]
        return list(shown(chosen, self.person, urls))


def _tracking(
    template: EmailTemplate, sending: Sending, wish: Wish, variant: str
) -> tuple[tuple[str, str], ...]:
    """The declared parameters; of those with the same name the template's own counts."""
    about = {"{template}": template.name, "{variant}": variant, "{campaign}": wish.campaign or template.name}

    def said(value: str) -> str:
        for placeholder, what in about.items():
            value = value.replace(placeholder, what)
        return value

    declared = {**sending.links.tracking, **template.declared.tracking}
    return tuple((name, said(value)) for name, value in declared.items())


# Few products, templates and variants make up all links of a day's mail.
@lru_cache(maxsize=65_536)
def _product_url(
    pattern: str, product_id: str, parameters: tuple[tuple[str, str], ...], own_hosts: tuple[str, ...]
) -> str:
    return tracked(pattern.replace("{product_id}", quote(product_id, safe="")), dict(parameters), own_hosts)


@lru_cache(maxsize=4_096)
def _tracked(url: str, parameters: tuple[tuple[str, str], ...], own_hosts: tuple[str, ...]) -> str:
    return tracked(url, dict(parameters), own_hosts)
