"""When a candidate may become a release: what was built, compared with what a release requires.

Evidence is what was found (in the event log, the ledger and the stores); a requirement is a small
type with a one-line invariant that lists what does not hold. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from marketing_platform.errors import ReleaseRefused


@dataclass(frozen=True)
class Materialized:
    """The latest materialization of one asset."""

    asset: str
    event: int  # its number in the event log
    consumed: Mapping[str, int]  # upstream asset -> number of the materialization it read


@dataclass(frozen=True)
class Judged:
    """The latest execution of one check."""

    asset: str
    check: str
    event: int | None  # number of the materialization it judged; None when it judged none
    passed: bool
    blocking: bool


@dataclass(frozen=True)
class Count:
    """One figure as several stores hold it."""

    what: str
    found: Mapping[str, int]  # where -> how many


@dataclass(frozen=True)
class Rows:
    """What became of the rows of one batch."""

    batch_id: str
    landed: int
    valid: int
    quarantined: int


@dataclass(frozen=True)
class Evidence:
    """Everything a release is judged by."""

    assets: Sequence[str]  # every asset a release consists of
    materialized: Mapping[str, Materialized]
    declared: frozenset[tuple[str, str]]  # (asset, check) as the files under expectations/ say
    defined: frozenset[tuple[str, str]]  # (asset, check) as the graph has them
    judged: Mapping[tuple[str, str], Judged]
    counts: Sequence[Count]
    rows: Sequence[Rows]


class Requirement(Protocol):
    """Something that must hold before a release is published."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]: ...


class EverythingMaterialized:
    """Every asset of a release has been materialized."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name the assets that were not."""
        for asset in evidence.assets:
            if asset not in evidence.materialized:
                yield f"{asset} was never materialized; materialize it"


class NothingMixed:
    """Every asset was computed from the latest materialization of each of its inputs."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name the assets that saw something older, or newer than what would be published."""
        for built in evidence.materialized.values():
            for upstream, event in built.consumed.items():
                latest = evidence.materialized.get(upstream)
                if latest is not None and latest.event != event:
                    yield (
                        f"{built.asset} was computed from materialization {event} of {upstream},"
                        f" whose latest is {latest.event};"
                        f" materialize {built.asset} and what follows it again"
                    )


class ChecksAreTheDeclaredOnes:
    """The checks of the graph are exactly those that expectations/ declares."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name checks that exist on one side only."""
        for asset, check in sorted(evidence.declared - evidence.defined):
            yield (
                f"check {check} of {asset} is declared under expectations/ but not in the graph;"
                " reload the definitions"
            )
        for asset, check in sorted(evidence.defined - evidence.declared):
            yield (
                f"check {check} of {asset} is in the graph but not declared under expectations/;"
                " declare or remove it"
            )


class EveryCheckPassed:
    """Every declared check ran on exactly what would be published; what blocks, passed."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name checks that did not run, judged something else, or failed."""
        for asset, check in sorted(evidence.declared):
            judged = evidence.judged.get((asset, check))
            built = evidence.materialized.get(asset)
            if judged is None:
                yield f"check {check} of {asset} never ran; run it"
            elif built is not None and judged.event != built.event:
                yield (
                    f"check {check} of {asset} judged materialization {judged.event}, not the latest,"
                    f" {built.event}; run it again"
                )
            elif judged.blocking and not judged.passed:
                yield f"check {check} of {asset} failed; see its samples in the Dagster UI"


class StoresAgree:
    """What one store counts, every other store counts too."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name the figures that differ, with every store's own."""
        for count in evidence.counts:
            if len(set(count.found.values())) > 1:
                figures = ", ".join(f"{place} has {number:,}" for place, number in count.found.items())
                yield f"the stores disagree on {count.what}: {figures}; materialize what is behind"


class RowsConserved:
    """Rows landed are rows valid plus rows quarantined, in every batch."""

    def mismatches(self, evidence: Evidence) -> Iterator[str]:
        """Name batches that lost or doubled rows."""
        for rows in evidence.rows:
            if rows.landed != rows.valid + rows.quarantined:
                yield (
                    f"batch {rows.batch_id}: {rows.landed:,} rows landed, but {rows.valid:,} are valid and"
                    f" {rows.quarantined:,} quarantined; replay it"
                )


REQUIREMENTS: tuple[Requirement, ...] = (
    EverythingMaterialized(),
    NothingMixed(),
    ChecksAreTheDeclaredOnes(),
    EveryCheckPassed(),
    StoresAgree(),
    RowsConserved(),
)


def verify(evidence: Evidence, requirements: Sequence[Requirement] = REQUIREMENTS) -> None:
    """Raise ReleaseRefused with every mismatch, or return."""
    found = [mismatch for requirement in requirements for mismatch in requirement.mismatches(evidence)]
    if found:
        listed = "\n".join(f"  - {mismatch}" for mismatch in found)
        raise ReleaseRefused(f"no release was published, because:\n{listed}")
