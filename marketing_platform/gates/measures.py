"""Blocking checks on figures that an asset finds out about itself and shows: `expectations/measures.yaml`.

Rules about rows, tables and batches are suites (`suites.py`); how a figure is measured belongs to what
measures it.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from marketing_platform.errors import ExpectationError

MEASURES = "measures.yaml"


class Measure(BaseModel):
    """A figure in the metadata of an asset, and the least that it may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asset: str = Field(min_length=1)
    check: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the check in the UI.")
    figure: str = Field(min_length=1, description="Key of the asset's metadata.")
    at_least: float
    reason: str = Field(min_length=1, description="Why it did not pass.")
    description: str = Field(min_length=1)

    def passed(self, value: float | None) -> bool:
        """Whether the figure is there and enough."""
        return value is not None and value >= self.at_least  # false for NaN


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
