"""Attributes of items as rules ask for them: which items a filter means, which share a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from marketing_platform.errors import InputError
from marketing_platform.recommenders.rules.spec import Condition, Filter

Attributes = Mapping[str, np.ndarray]


def values_of(attributes: Attributes, name: str, label: str) -> np.ndarray:
    """One value per item. Raises InputError when the rule asks for an attribute that is not given."""
    if name not in attributes:
        raise InputError(f"the rule {label!r} needs the attribute {name!r} of items; it was not given")
    return attributes[name]


def meant(where: Filter, attributes: Attributes, label: str) -> np.ndarray:
    """Bool per item: whether every condition holds."""
    found: np.ndarray | None = None
    for name, condition in where.items():
        values = values_of(attributes, name, label)
        holds = np.fromiter((_holds(condition, value) for value in values), bool, len(values))
        found = holds if found is None else found & holds
    assert found is not None  # noqa: S101 -- a filter names at least one attribute
    return found


def codes_of(values: np.ndarray) -> np.ndarray:
    """A number per item, the same for the same value and -1 where there is none."""
    numbers: dict[Any, int] = {}
    return np.fromiter(
        (-1 if is_missing(value) else numbers.setdefault(value, len(numbers)) for value in values),
        np.int64,
        len(values),
    )


def is_missing(value: Any) -> bool:
    """None, or a float that is not a number."""
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _holds(condition: Condition, value: Any) -> bool:
    if is_missing(value):
        return False
    return not (
        (condition.one_of is not None and value not in condition.one_of)
        or (condition.none_of is not None and value in condition.none_of)
        or (condition.at_least is not None and value < condition.at_least)
        or (condition.at_most is not None and value > condition.at_most)
    )
