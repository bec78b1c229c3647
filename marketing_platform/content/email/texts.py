"""Makes texts and addresses of unknown origin fit to stand in one line of a header, a page or a mail.

Escaping is not done here: that is the template engine's, for the place where a value stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_LONGEST_URL = 2000
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")
# A mark above marks above marks leaves its line and covers others.
_MARKS = 3
_JOINERS = "\u200c\u200d"  # letters of some scripts, and emoji, are made with them
_NAME_PARTS = " '’‘.-·" + _JOINERS
# Unassigned, private, surrogates; and what changes the direction of what follows, or is not seen.
_GONE = frozenset({"Cn", "Co", "Cs", "Cf"})
_SPACES = frozenset({"Cc", "Zl", "Zp", "Zs"})
_SAFE_IN_URL = "-._~:/?#[]@!$&'()*+,;=%"


def one_line(text: str, longest: int) -> str:
    """The text as one line of at most `longest` characters: no control, direction or invisible character.

    A text that is cut ends in an ellipsis.
    """
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        if " " <= character <= "~":
            kept.append(character)
            marks = 0
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in _SPACES:
            kept.append(" ")
        elif (category not in _GONE or character in _JOINERS) and marks <= _MARKS:
            kept.append(character)
    line = " ".join("".join(kept).split())
    if len(line) <= longest:
        return line
    end = longest - 1
    # Not within what is drawn as one sign.
    while end > 0 and (
        unicodedata.combining(line[end]) or line[end - 1] in _JOINERS or line[end] in _JOINERS
    ):
        end -= 1
    return line[:end].rstrip() + "…"


def as_name(text: str, longest: int) -> str | None:
    """A person's name, or None for what is none: mail programs make links of what looks like an address."""
    line = one_line(text, longest + 1)
    if not line or len(line) > longest or not any(unicodedata.category(one)[0] == "L" for one in line):
        return None
    fits = all(unicodedata.category(one)[0] in "LM" or one in _NAME_PARTS for one in line)
    # A dot ends an initial; within a word it is a host's.
    return line if fits and not re.search(r"\.[^\s.]", line) else None


def as_url(text: str, schemes: Collection[str]) -> str | None:
    """An address in ASCII that a link may lead to, or None: a scheme of these, no user, no odd character."""
    line = text.strip()
    if not line or len(line) > _LONGEST_URL or any(unicodedata.category(one)[0] in "CZ" for one in line):
        return None
    if line.startswith("mailto:"):
        address = as_address(line.removeprefix("mailto:"))
        return f"mailto:{address}" if address and "mailto" in schemes else None
    try:
        parts = urlsplit(line)
        # ValueError is also of a port that is none, UnicodeError of a host that has no form in ASCII.
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    named = _HOST.fullmatch(host) and parts.username is None and "\\" not in line
    if parts.scheme == "mailto" or parts.scheme not in schemes or not named:
        return None
    rest = (quote(part, safe=_SAFE_IN_URL) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", *rest))


def tracked(url: str, parameters: Mapping[str, str], own_hosts: Collection[str]) -> str:
    """The address with these parameters added, if it is of our own; what it says itself stays."""
    parts = urlsplit(url)
    if not parameters or parts.scheme == "mailto" or parts.hostname not in own_hosts:
        return url
    said = parse_qsl(parts.query, keep_blank_values=True)
    names = {name for name, _ in said}
    added = [(name, value) for name, value in parameters.items() if name not in names]
    query = "&".join(part for part in (parts.query, urlencode(added, quote_via=quote)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def as_address(text: str) -> str | None:
    """An e-mail address in ASCII, its host in IDNA, or None for what is none that we send to."""
    local, _, host = text.strip().rpartition("@")
    try:
        found = f"{local}@{host.encode('idna').decode()}"
    except UnicodeError:
        return None
    dots = ".." in local or local.startswith(".") or local.endswith(".")
    return None if dots or not _ADDRESS.fullmatch(found) else found
