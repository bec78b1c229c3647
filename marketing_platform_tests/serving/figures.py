"""What `/metrics` says, read with the parser of prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]


class Figures:
    """Samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._samples = [sample for family in self.families for sample in family.samples]

    def __getitem__(self, name: str) -> float:
        """The one sample of that name."""
        (value,) = [sample.value for sample in self._samples if sample.name == name]
        return value

    def of(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; 0 where there are none."""
        return sum(sample.value for sample in self._samples if sample.name == name and _has(sample, labels))

    def labels(self, name: str) -> Iterator[Labels]:
        """The labels of every sample of that name."""
        return (sample.labels for sample in self._samples if sample.name == name)

    @property
    def names(self) -> set[str]:
        """Of families, as they are declared."""
        return {family.name for family in self.families}


def _has(sample: Any, labels: Labels) -> bool:
    return labels.items() <= sample.labels.items()
