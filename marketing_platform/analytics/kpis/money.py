"""Amounts in several currencies: converted by declared rates into one, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from marketing_platform.analytics.kpis.spec import Registry
from marketing_platform.errors import KpiError

Key = tuple[str | None, ...]
Sums = dict[str, Decimal]


class Money:
    """Amounts by currency until all are seen; then all in one."""

    def __init__(self, registry: Registry) -> None:
        self._own, self._rates = registry.workspace.currency, registry.workspace.rates
        self._kept: dict[tuple[tuple[Key, int], str, str], Decimal] = {}
        self.notes: list[str] = []

    def keep(self, place: tuple[Key, int], measure: str, currency: str | None, amount: Decimal) -> None:
        """Add an amount; exports that do not say their currency are in the workspace's."""
        slot = (place, measure, currency or self._own)
        self._kept[slot] = self._kept.get(slot, Decimal(0)) + amount

    def settle(self, sums: dict[tuple[Key, int], Sums]) -> str | None:
        """Put all amounts among the sums and return their currency; KpiError when they cannot be added."""
        found = sorted({currency for _, _, currency in self._kept})
        if not found:
            return None
        rates = {found[0]: Decimal(1)} if len(found) == 1 else self._all_rates(found)
        for (place, measure, currency), amount in self._kept.items():
            of_place = sums.setdefault(place, {})
            of_place[measure] = of_place.get(measure, Decimal(0)) + amount * rates[currency]
        return found[0] if len(found) == 1 else self._own

    def _all_rates(self, found: Sequence[str]) -> dict[str, Decimal]:
        rates = {self._own: Decimal(1), **self._rates}
        lacking = [currency for currency in found if currency not in rates]
        if lacking:
            raise KpiError(
                f"money in {', '.join(found)} is not added up without rates: declare what one"
                f" {' and one '.join(lacking)} is in {self._own} under `rates` in kpis/workspace.yaml"
            )
        converted = ", ".join(f"1 {one} = {rates[one]:f} {self._own}" for one in found if one != self._own)
        self.notes.append(f"converted: {converted}")
        return rates
