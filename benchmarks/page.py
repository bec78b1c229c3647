"""docs/benchmarks.md: which sections it has, in which order, and which command writes each.

A command hands over the text of its section and everything else stays as it is. What figures mean is said in
the section, by the command that measured them; nothing is measured here.
"""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Sequence
from enum import Enum

from marketing_platform.settings import PROJECT_DIR

PAGE = PROJECT_DIR / "docs" / "benchmarks.md"
_TITLE = """# Benchmarks

Each section is written by the command that it names, run with `--write-docs`; without that the command
prints the same figures for your machine."""
_MARK = "\n## "
_LINE = 110


class Section(Enum):
    """The sections in their order: heading, module of `benchmarks`, target of make."""

    PIPELINE = ("The pipeline", "pipeline", "bench-pipeline")
    SCALE = ("Scale", "scale", "bench-scale")
    SERVERS = ("Servers beside their bare clients", "servers", "bench-servers")
    RECOMMENDERS = ("Recommenders", "recommenders", "bench-recommenders")
    SHOPS = ("Recommenders in real shops", "shops", "bench-shops")
    SERVING = ("The API beside a bare route", "serving", "bench-serving")
    LOOKUPS = ("Look-ups and the number of users", "lookups", "bench-lookups")
    FIGURES = ("Figures", "analytics", "bench-analytics")
    DASHBOARD = ("The dashboard", "dashboard", "bench-dashboard")
    CONTENT = ("Content", "content", "bench-content")

    def __init__(self, heading: str, module: str, target: str) -> None:
        self.heading = heading
        self.module = module
        self.target = target


def write(section: Section, *parts: str, load: float | None = None) -> None:
    """Write the section anew; `load` is what `wanted` said before the measurement."""
    text = "\n\n".join([_provenance(section, load), *(part.strip() for part in parts if part)])
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), section, text), encoding="utf-8")


def with_section(page: str, section: Section, text: str) -> str:
    """The page with this text in the section; ValueError when the text holds a heading of sections."""
    if _MARK in f"\n{text}":
        raise ValueError(f"{section}: a section cannot hold another one; headings in it begin with ###")
    found = {**sections(page), section.heading: text.strip()}
    order = [one.heading for one in Section]
    unknown = [heading for heading in found if heading not in order]
    parts = [f"## {heading}\n\n{found[heading]}" for heading in [*order, *unknown] if heading in found]
    return "\n\n".join([_TITLE, *parts]) + "\n"


def sections(page: str) -> dict[str, str]:
    """The text of each section by its heading."""
    _, *parts = f"\n{page}".split(_MARK)
    return {heading: text.strip() for heading, _, text in (part.partition("\n") for part in parts)}


def subsections(section: Section) -> dict[str, str]:
    """The parts of a section of the page as it is, by their headings of the third level."""
    _, *parts = f"\n{sections(PAGE.read_text(encoding='utf-8')).get(section.heading, '')}".split("\n### ")
    return {heading: text.strip() for heading, _, text in (part.partition("\n") for part in parts)}


def machine() -> str:
    """What was measured on, as a sentence."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Measured on {cores} cores ({platform.machine()}, {platform.system()}),"
        f" Python {platform.python_version()}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(text: str) -> str:
    """A paragraph in lines of the length that pages have."""
    return textwrap.fill(" ".join(text.split()), _LINE, break_long_words=False, break_on_hyphens=False)


def wanted() -> float:
    """How many processes want a core, the mean of a minute."""
    return os.getloadavg()[0]


def _provenance(section: Section, load: float | None) -> str:
    told = (
        f"Written by `python -m benchmarks.{section.module} --write-docs`; `make {section.target}` measures."
    )
    busy = "" if load is None else f"The load, the processes that wanted a core before, was {load:.1f}."
    return prose(f"{told} {machine()} {busy}")
