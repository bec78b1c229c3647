"""Reads `templates/email/`: `sending.yaml`, `campaigns.yaml` and a folder for each template.

Shapes belong to `spec.py`, bodies to `compiling.py`, files and messages to `declarations.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import meta
from pydantic import BaseModel

from marketing_platform.content.email.compiling import (
    BodyProblem,
    Engines,
    compiled_html,
    compiled_text,
    engines,
    expanded,
)
from marketing_platform.content.email.spec import (
    CONTROL,
    FIELDS,
    Campaign,
    Campaigns,
    Lines,
    ProductsField,
    Sending,
    TemplateFile,
    Variant,
)
from marketing_platform.content.email.templates import Body, EmailTemplate, Headline, Templates
from marketing_platform.content.email.texts import as_url
from marketing_platform.declarations import (
    Choice,
    Declaration,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
    repeated,
)
from marketing_platform.errors import EmailError

SENDING, CAMPAIGNS, PARTS, TEMPLATE = "sending.yaml", "campaigns.yaml", "parts", "template.yaml"
# What every template may say besides its own fields; subject and preview only in bodies.
GIVEN = ("brand", "postal_address", "home_url", "unsubscribe_url", "locale", "variant")
_OF_BODIES = ("subject", "preview")


def load_templates(directory: Path) -> Templates:
    """Everything that the folder declares, compiled.

    Raises:
        EmailError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    wrong: list[str] = []
    sending = load_declaration(directory / SENDING, _SENDING)
    parts = {path.stem: path.read_text(encoding="utf-8") for path in (directory / PARTS).glob("*.mjml")}
    texts = {path.name: path.read_text(encoding="utf-8") for path in (directory / PARTS).glob("*.txt")}
    reader = _Reader(sending, parts, engines(texts))
    found: dict[str, EmailTemplate] = {}
    paths = sorted(directory.glob(f"*/{TEMPLATE}"))
    for path in paths:
        try:
            found[path.parent.name] = reader.read(path)
        except EmailError as error:
            wrong.append(str(error))
    campaigns = Campaigns()
    if (directory / CAMPAIGNS).exists():
        try:
            campaigns = load_declaration(
                directory / CAMPAIGNS, _campaigns([path.parent.name for path in paths])
            )
        except EmailError as error:
            wrong.append(str(error))
    if wrong:
        raise EmailError("\n".join(wrong))
    return Templates(sending, found, campaigns.campaigns)


class _Reader:
    """Reads one template after the other."""

    def __init__(self, sending: Sending, parts: Mapping[str, str], made: Engines) -> None:
        self._schemes = sending.links.schemes
        self._parts = parts
        self._engines = made

    def read(self, path: Path) -> EmailTemplate:
        declared = load_declaration(path, _TEMPLATE)
        wrong: list[str] = []
        bodies: dict[str, Body] = {}
        headlines: dict[tuple[str, str], Headline] = {}
        worded = {CONTROL: declared.wording, **{one.variant: one.wording for one in declared.variants}}
        for locale, (variant, wording) in product(declared.wording, worded.items()):
            try:
                headlines[locale, variant] = self._headline(wording[locale], declared)
            except BodyProblem as error:
                wrong.append(f"{path}:1: wording of {variant}.{locale}: {error}")
        for locale in declared.wording:
            try:
                bodies[locale] = self._body(path.parent, locale, declared)
            except BodyProblem as error:
                wrong.append(str(error))
        if wrong:
            raise EmailError("\n".join(wrong))
        return EmailTemplate(path.parent.name, declared, bodies, headlines)

    def _headline(self, lines: Lines, declared: TemplateFile) -> Headline:
        engine = self._engines.text
        made = Headline(compiled_text(lines.subject, engine), compiled_text(lines.preview, engine))
        for written in (lines.subject, lines.preview):
            _require_known(engine.parse(written), declared, ())
        return made

    def _body(self, folder: Path, locale: str, declared: TemplateFile) -> Body:
        html = next((path for path in _bodies(folder, locale, "mjml", "html") if path.exists()), None)
        text = folder / f"body.{locale}.txt"
        if html is None or not text.exists():
            missing = f"body.{locale}.mjml" if html is None else text.name
            raise BodyProblem(
                f"{folder / TEMPLATE}:1: wording.{locale}: expected the file {missing}, found none"
            )
        try:
            page = compiled_html(html, self._parts, self._engines.html, self._schemes)
            _require_known(self._engines.html.parse(expanded(html, self._parts)), declared, _OF_BODIES)
        except BodyProblem as error:
            raise BodyProblem(f"{html}:1: {error}") from None
        try:
            written = text.read_text(encoding="utf-8")
            plain = compiled_text(written, self._engines.text)
            _require_known(self._engines.text.parse(written), declared, _OF_BODIES)
        except BodyProblem as error:
            raise BodyProblem(f"{text}:1: {error}") from None
        return Body(page, plain)


def _bodies(folder: Path, locale: str, *endings: str) -> Iterator[Path]:
    for ending in endings:
        yield folder / f"body.{locale}.{ending}"


def _require_known(parsed: Any, declared: TemplateFile, more: tuple[str, ...]) -> None:
    known = {*GIVEN, *more, *(one.field for one in declared.fields)}
    unknown = sorted(meta.find_undeclared_variables(parsed) - known)
    if unknown:
        expected, found = one_of(unknown[0], sorted(known))
        raise BodyProblem(f"expected {expected}, found {found}")


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    match path:
        case ("fields", int()):
            return Choice("type", FIELDS)
        case ("variants", int()):
            return Variant
        case ("wording", _) | ("variants", int(), "wording", _):
            return Lines
        case ("campaigns", int()):
            return Campaign
        case (str(name),) if name in Sending.model_fields:
            part = Sending.model_fields[name].annotation
            return part if isinstance(part, type) and issubclass(part, BaseModel) else None
        case _:
            return None


def _template_problems(_: Mapping[str, Any], found: TemplateFile | None) -> Iterator[Problem]:
    if found is None:
        return
    yield from repeated("fields", "field", [one.field for one in found.fields])
    yield from repeated("variants", "variant", [one.variant for one in found.variants])
    for index, one in enumerate(found.variants):
        if one.variant == CONTROL:
            yield Problem(("variants", index, "variant"), "another name than the wording above has", CONTROL)
        if set(one.wording) != set(found.wording):
            expected, others = ", ".join(found.wording), ", ".join(one.wording)
            yield Problem(("variants", index, "wording"), f"the languages {expected}", others)
    for index, field in enumerate(found.fields):
        path: KeyPath = ("fields", index)
        if (field.type == "url") != field.field.endswith("url"):
            yield Problem((*path, "field"), "a name that ends in url, for addresses only", repr(field.field))
        if field.field in (*GIVEN, *_OF_BODIES):
            yield Problem((*path, "field"), "another name", f"{field.field!r}, which is given already")
        if isinstance(field, ProductsField):
            if field.least > field.most:
                yield Problem((*path, "least"), f"at most {field.most}", str(field.least))
        elif not field.required and set(field.fallback) != set(found.wording):
            said = ", ".join(field.fallback) or "nothing"
            yield Problem((*path, "fallback"), f"one for each of {', '.join(found.wording)}", said)


def _sending_problems(_: Mapping[str, Any], found: Sending | None) -> Iterator[Problem]:
    if found is None:
        return
    if as_url(found.home, ("https",)) is None:
        yield Problem(("home",), "an address such as https://shop.example.com/", repr(found.home))
    if found.product_url.count("{product_id}") != 1 or not as_url(
        found.product_url.replace("{product_id}", "p"), ("https",)
    ):
        expected = "an address with {product_id} in it, such as https://shop.example.com/p/{product_id}"
        yield Problem(("product_url",), expected, repr(found.product_url))
    zones = [(("time_zones", "default"), found.time_zones.default)]
    zones += [
        (("time_zones", "by_country", name), zone) for name, zone in found.time_zones.by_country.items()
    ]
    for path, zone in zones:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
            yield Problem(path, "a time zone such as Europe/Berlin", repr(zone))


def _campaigns(templates: Sequence[str]) -> Declaration[Campaigns]:
    def problems(_: Mapping[str, Any], found: Campaigns | None) -> Iterator[Problem]:
        if found is None:
            return
        yield from repeated("campaigns", "campaign", [one.campaign for one in found.campaigns])
        for index, one in enumerate(found.campaigns):
            if one.template not in templates:
                yield Problem(("campaigns", index, "template"), *one_of(one.template, templates))

    return Declaration(Campaigns, EmailError, _part_at, problems)


_SENDING = Declaration(Sending, EmailError, _part_at, _sending_problems)
_TEMPLATE = Declaration(TemplateFile, EmailError, _part_at, _template_problems)
