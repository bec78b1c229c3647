"""Compiles a body once per template and language: MJML to HTML, CSS into the elements, all places judged.

Jinja's tags are taken out before and put back afterwards, so that neither compiler sees them: values as a
word, statements as a comment, which may stand anywhere in a table. What a value may be depends on where it
stands, so every place of the compiled page is looked at, once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import css_inline
import mjml
from jinja2 import DictLoader, StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from marketing_platform.content.email.texts import as_url

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VALUE = re.compile(r"jqv(\d+)q")
_STATEMENT = re.compile(r"<!--jqs(\d+)q-->")
_ANY = re.compile(r"jq[vs](\d+)q")
_INCLUDE = re.compile(r'<mj-include\s+path="([a-z_]+)\.mjml"\s*/>')
_REFUSED = frozenset({"script", "iframe", "object", "embed", "form", "base", "link", "svg"})
_PLAIN = frozenset({"alt", "title", "aria-label", "lang"})
_OF_STYLE = frozenset({"style", "bgcolor", "color"})
# Values under these names are made by us: addresses that were judged, colours of our own palette.
_AN_ADDRESS = re.compile(r"\{\{ *[a-z_.]*url *\}\}")
_A_COLOUR = re.compile(r"\{\{ *[a-z_]+\.(colour|ink) *\}\}")
_FETCHED = re.compile(r"@import|url\s*\(", re.IGNORECASE)
_INLINER = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)


class BodyProblem(Exception):
    """A body cannot be used; says why."""


@dataclass(frozen=True)
class Engines:
    """Where templates run: nothing in them can change or reach anything, what is not given is an error."""

    html: ImmutableSandboxedEnvironment
    text: ImmutableSandboxedEnvironment


def engines(text_parts: Mapping[str, str]) -> Engines:
    """Engines whose texts may include these parts."""
    html = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    text = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        loader=DictLoader(text_parts),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for engine in (html, text):
        engine.filters.pop("safe")  # nobody says that a value needs no escaping
    return Engines(html, text)


def compiled_text(source: str, engine: ImmutableSandboxedEnvironment) -> Template:
    """A subject, preview text or text body; BodyProblem when its syntax is wrong."""
    try:
        return engine.from_string(source)
    except TemplateSyntaxError as error:
        raise BodyProblem(f"line {error.lineno}: {error.message}") from None


def compiled_html(
    path: Path,
    parts: Mapping[str, str],
    engine: ImmutableSandboxedEnvironment,
    schemes: Collection[str],
) -> Template:
    """A body of MJML or HTML, ready to be filled.

    Args:
        path: `.mjml` or `.html`.
        parts: What `<mj-include path="….mjml"/>` may name, by name.
        engine: In which it runs.
        schemes: That literal links may have.

    Raises:
        BodyProblem: It cannot be compiled, or something in it is not allowed in a mail.
    """
    _parsed(path.read_text(encoding="utf-8"), engine)  # for the number of the line, before anything moves
    source = expanded(path, parts)
    if _ANY.search(source):
        raise BodyProblem("a word such as jqv1q is used by the compiler itself")
    _parsed(source, engine)
    tags: list[str] = []
    page = _TAG.sub(lambda found: _held(found[0], tags), source)
    if path.suffix == ".mjml":
        try:
            page = mjml.mjml2html(page, fonts={})  # by itself it has fonts fetched that it knows by name
        except ValueError as error:
            raise BodyProblem(f"not MJML: {error}") from None
    page = _INLINER.inline(page)
    _Judge(tags, schemes).judge(page)
    page = _STATEMENT.sub(lambda found: tags[int(found[1])], page)
    return compiled_text(_VALUE.sub(lambda found: tags[int(found[1])], page), engine)


def _parsed(source: str, engine: ImmutableSandboxedEnvironment) -> None:
    try:
        engine.parse(source)
    except TemplateSyntaxError as error:
        raise BodyProblem(f"line {error.lineno}: {error.message}") from None


def expanded(path: Path, parts: Mapping[str, str]) -> str:
    """The source of a body with its parts in place; BodyProblem when there is no such part."""
    return _INCLUDE.sub(lambda found: _part(parts, found[1]), path.read_text(encoding="utf-8"))


def _part(parts: Mapping[str, str], name: str) -> str:
    if name not in parts:
        raise BodyProblem(f"includes {name}.mjml; parts/ has {', '.join(sorted(parts)) or 'none'}")
    return parts[name]


def _require_own(style: str) -> None:
    """Nothing of a style is fetched: a mail that is opened tells nobody."""
    if _FETCHED.search(style):
        raise BodyProblem("a style has @import or url(…): what a mail looks like stands in the mail")


def _held(tag: str, tags: list[str]) -> str:
    if tag.startswith("{#"):
        return ""
    tags.append(tag)
    return f"jqv{len(tags) - 1}q" if tag.startswith("{{") else f"<!--jqs{len(tags) - 1}q-->"


class _Judge(HTMLParser):
    """Looks at every place of a compiled page; raises BodyProblem."""

    def __init__(self, tags: list[str], schemes: Collection[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._schemes = schemes
        self._seen: set[int] = set()
        self._language = False

    def judge(self, page: str) -> None:
        """Raise when anything is not as it has to be."""
        self.feed(page)
        self.close()
        if not self._language:
            raise BodyProblem('the page says no language: begin with <mjml lang="…"> or <html lang="…">')
        lost = [tag for number, tag in enumerate(self._tags) if number not in self._seen]
        if lost:
            raise BodyProblem(f"{lost[0]} is lost when it is compiled; put it into an element's text")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element and what its attributes say."""
        given = {name: value or "" for name, value in attrs}
        if tag in _REFUSED or (tag == "meta" and given.get("http-equiv", "").lower() == "refresh"):
            raise BodyProblem(f"<{tag}> has no place in a mail")
        if tag.startswith("mj-"):
            raise BodyProblem(f"<{tag}> is no element of MJML, or not where it may stand")
        if tag == "img" and "alt" not in given:
            raise BodyProblem("an <img> has no alt text")
        self._language = self._language or (tag == "html" and bool(given.get("lang")))
        for name, value in given.items():
            if name.startswith("on"):
                raise BodyProblem(f"<{tag} {name}>: scripts have no place in a mail")
            if name in ("href", "src") and value:
                self._judge_address(tag, name, value)
            if name == "style":
                _require_own(value)
            for held in self._held_in(value):
                self._judge_value(tag, name, held)

    def handle_data(self, data: str) -> None:
        """Text, where every value is escaped; style sheets, where none may stand."""
        held = list(self._held_in(data))
        if self.cdata_elem is None:
            return
        if held:
            raise BodyProblem(f"{held[0]} stands in <{self.cdata_elem}>")
        _require_own(data)

    def handle_comment(self, data: str) -> None:
        """A statement; or what Outlook alone reads, where only colours may stand."""
        for held in self._held_in(data):
            if held.startswith("{{") and not _A_COLOUR.fullmatch(held):
                raise BodyProblem(f"{held} stands in a comment")

    def unknown_decl(self, data: str) -> None:
        """`<![endif]>` and the like."""

    def _judge_address(self, tag: str, name: str, value: str) -> None:
        literal = not _ANY.search(value)
        schemes = {"https"} if name == "src" else self._schemes
        if literal and value != "#" and as_url(value, schemes) is None:
            raise BodyProblem(f"<{tag} {name}>: expected an address with {' or '.join(schemes)}")
        if not literal and not _VALUE.fullmatch(value):
            raise BodyProblem(f"<{tag} {name}>: a value is the whole address, or no part of it")

    def _judge_value(self, tag: str, name: str, held: str) -> None:
        if name in ("href", "src"):
            fits, expected = _AN_ADDRESS.fullmatch(held), "a field whose name ends in url"
        elif name in _OF_STYLE:
            fits, expected = _A_COLOUR.fullmatch(held), "the colour or ink of a product"
        else:
            fits, expected = name in _PLAIN and held.startswith("{{"), f"no value but in {', '.join(_PLAIN)}"
        if not fits:
            raise BodyProblem(f"<{tag} {name}> holds {held}; expected {expected}")

    def _held_in(self, text: str) -> Iterator[str]:
        for found in _ANY.finditer(text):
            self._seen.add(int(found[1]))
            yield self._tags[int(found[1])]
