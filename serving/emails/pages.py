"""The two small pages of unsubscribing: a question, as programs follow links too, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>{title}</title>
<style>:root{{color-scheme:light dark}}
body{{font:17px/1.5 system-ui,sans-serif;max-width:28rem;margin:18vh auto;padding:0 1.5rem}}
h1{{font:400 1.9rem/1.2 Georgia,serif}}
button{{font:inherit;font-weight:600;padding:.8rem 1.6rem}}
button{{border:0;border-radius:8px;color:#fff;background:#1f4b3f}}
</style></head><body><h1>{title}</h1><p>{text}</p>{form}</body></html>
"""
_FORM = '<form method="post"><button name="List-Unsubscribe" value="One-Click">{button}</button></form>'
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "ask": "Unsubscribe?",
        "asked": "You will then get no more e-mails from us.",
        "button": "Unsubscribe",
        "done": "You are unsubscribed",
        "told": "You will get no more e-mails from us. You can close this page.",
    },
    "de": {
        "ask": "E-Mails abbestellen?",
        "asked": "Sie bekommen dann keine E-Mails mehr von uns.",
        "button": "Abbestellen",
        "done": "Sie sind abgemeldet",
        "told": "Sie bekommen keine E-Mails mehr von uns. Sie können diese Seite schließen.",
    },
}
# Nothing is loaded, nothing runs, nobody frames it, and no address of it is told to others.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def question(accept_language: str) -> str:
    """Asks whether to unsubscribe."""
    words = _words(accept_language)
    form = _FORM.format(button=escape(words["button"]))
    return _page(accept_language, words["ask"], words["asked"], form)


def done(accept_language: str) -> str:
    """Says that it is done."""
    words = _words(accept_language)
    return _page(accept_language, words["done"], words["told"], "")


def _page(accept_language: str, title: str, text: str, form: str) -> str:
    language = _language(accept_language)
    return _PAGE.format(language=language, title=escape(title), text=escape(text), form=form)


def _words(accept_language: str) -> Mapping[str, str]:
    return _WORDS[_language(accept_language)]


def _language(accept_language: str) -> str:
    """The first one that is named decides."""
    first = accept_language.split(",", 1)[0].strip().lower()
    return "de" if first[:2] == "de" else "en"
