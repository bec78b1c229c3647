"""Templates that are ready to be filled, and finding one by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Template

from marketing_platform.content.email.spec import CONTROL, Campaign, Sending, TemplateFile
from marketing_platform.declarations import did_you_mean
from marketing_platform.errors import InputError, UnknownTemplate


@dataclass(frozen=True)
class Body:
    """The compiled bodies of one language."""

    html: Template
    text: Template


@dataclass(frozen=True)
class Headline:
    """Compiled subject and preview text of one language and variant."""

    subject: Template
    preview: Template


@dataclass(frozen=True)
class EmailTemplate:
    """One folder below `templates/email/`."""

    name: str
    declared: TemplateFile
    bodies: Mapping[str, Body]  # by language
    headlines: Mapping[tuple[str, str], Headline]  # by language and variant

    @property
    def locales(self) -> tuple[str, ...]:
        """Its languages; the first is for everybody whose own is not among them."""
        return tuple(self.declared.wording)

    @property
    def variants(self) -> tuple[str, ...]:
        """How it may be worded, as declared first."""
        return (CONTROL, *(one.variant for one in self.declared.variants))

    def locale_for(self, language: str | None) -> str:
        """The language that comes nearest: the very one, the same without its region, or the first."""
        wanted = (language or "").replace("_", "-")
        by_lower = {locale.lower(): locale for locale in self.locales}
        for candidate in (wanted, wanted.partition("-")[0]):
            if candidate.lower() in by_lower:
                return by_lower[candidate.lower()]
        return self.locales[0]

    def require_variant(self, variant: str) -> str:
        """The variant; InputError when there is none of that name."""
        if variant not in self.variants:
            raise InputError(
                f"{self.name} has no variant {variant[:100]!r}; it has {', '.join(self.variants)}"
            )
        return variant


@dataclass(frozen=True)
class Templates:
    """Everything below `templates/email/`."""

    sending: Sending
    by_name: Mapping[str, EmailTemplate]
    campaigns: tuple[Campaign, ...]

    def named(self, name: str) -> EmailTemplate:
        """The template; UnknownTemplate when there is none of that name."""
        if name not in self.by_name:
            hint = did_you_mean(name[:100], self.by_name)
            raise UnknownTemplate(f"no template {name[:100]!r}{hint}; there are {', '.join(self.by_name)}")
        return self.by_name[name]

    def campaign(self, name: str) -> Campaign:
        """The campaign; InputError when none of that name is declared."""
        known = {one.campaign: one for one in self.campaigns}
        if name not in known:
            raise InputError(
                f"no campaign {name!r}{did_you_mean(name, known)}; there are {', '.join(known) or 'none'}"
            )
        return known[name]
