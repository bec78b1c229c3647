"""Precomputed answers by key."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import Answers


class AnswersIOManager(dg.IOManager):
    """Stores chunks with `key` and `answer`; loads the name of the set."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def handle_output(self, context: dg.OutputContext, obj: Iterable[pa.Table]) -> None:
        """Write the answers."""
        name = output_name(context)
        rows = self._answers.write(name, obj)
        context.add_output_metadata({NAME: name, "dagster/row_count": rows})

    def load_input(self, context: dg.InputContext) -> str:
        """The name of the upstream answers."""
        return input_name(context)
