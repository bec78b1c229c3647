"""Precomputed answers by key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.io_managers.reuse import KeepingIOManager
from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import Answers


@dataclass(frozen=True)
class Prepared:
    """Answers to store: chunks with `key` and `answer`."""

    chunks: Iterable[pa.Table]


class AnswersIOManager(KeepingIOManager):
    """Stores `Prepared` answers; loads the name of the set."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def store(self, context: dg.OutputContext, obj: Prepared) -> None:
        """Write the answers."""
        name = output_name(context)
        rows = self._answers.write(name, obj.chunks)
        context.add_output_metadata({NAME: name, "dagster/row_count": rows})

    def holds(self, name: str) -> bool:
        """Whether the store has it."""
        return name in self._answers.names()

    def load_input(self, context: dg.InputContext) -> str:
        """The name of the upstream answers."""
        return input_name(context)
