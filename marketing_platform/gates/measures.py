"""Checks on figures that an asset finds out about itself and shows: `expectations/measures.yaml`.

Rules about rows, tables and batches are suites (`suites.py`); how a figure is measured belongs to what
measures it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from marketing_platform.errors import ExpectationError

MEASURES = "measures.yaml"


class Measure(BaseModel):
    """A figure in the metadata of an asset, and what it may be: by a number, or by what served before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asset: str = Field(min_length=1)
    check: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the check in the UI.")
    figure: str = Field(min_length=1, description="Key of the asset's metadata.")
    at_least: float | None = None
    at_most: float | None = None
    most_fall: float | None = Field(
        None, ge=0, lt=1, description="Share of the figure of the release that serves that may be lost."
    )
    mean_of: str | None = Field(
        None, description="Key of how many values from 0 to 1 the figure is the mean of: chance is no fall."
    )
    blocking: bool = Field(True, description="Whether nothing is released unless it passes; else it warns.")
    shows: str | None = Field(
        None, description="Key of the asset's metadata that tells more; the check has it too."
    )
    reason: str = Field(min_length=1, description="Why it did not pass.")
    description: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if sum(bound is not None for bound in (self.at_least, self.at_most, self.most_fall)) != 1:
            raise ValueError("either at_least or at_most (a number) or most_fall (a share)")
        if self.mean_of is not None and self.most_fall is None:
            raise ValueError("mean_of belongs to most_fall")
        return self

    @property
    def name(self) -> str:
        """Under which a release keeps the figure."""
        return f"{self.asset}.{self.figure}"

    def passed(self, value: float | None, *, served: float | None = None, values: int | None = None) -> bool:
        """Whether the figure is there and enough.

        Args:
            value: The figure as it was measured.
            served: The same of the release that serves; where nothing serves, nothing can have fallen.
            values: How many values `value` is the mean of.
        """
        if self.at_most is not None:
            return value is not None and value <= self.at_most
        if self.at_least is None and served is None:
            return True
        bar = self.bar(served)
        return value is not None and value + _chance(value, values) >= bar  # false for NaN

    def bar(self, served: float | None) -> float:
        """The least that passes, chance apart."""
        return self.at_least if self.at_least is not None else (served or 0.0) * (1 - (self.most_fall or 0.0))


def _chance(value: float, values: int | None) -> float:
    """Twice the standard error of a mean of values from 0 to 1, at the most.

    Their variance is at most mean x (1 - mean): Bhatia and Davis, "A better bound on the variance", 2000.
    """
    return 2 * math.sqrt(max(value * (1 - value), 0) / values) if values else 0.0


_MEASURES = TypeAdapter(tuple[Measure, ...])


def load_measures(directory: Path) -> tuple[Measure, ...]:
    """Every measure declared in `directory`; ExpectationError with the file and the key when one is wrong."""
    path = directory / MEASURES
    if not path.is_file():
        raise ExpectationError(f"{path}: missing; it declares the checks on measured figures")
    try:
        return _MEASURES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ExpectationError(f"{path}: not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ExpectationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
