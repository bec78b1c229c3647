"""SQL that folds the landed rows of an entity into one row per key."""

from __future__ import annotations

from marketing_platform.catalog.model import BATCH_ID, ROW_ORDINAL, Table

LANDED = "landed"
BATCHES = "admitted_batches"


def entity_sql(table: Table) -> str:
    """A query over `landed` (rows of the entity), `admitted_batches` and the tables of `seen_in`.

    For each column the latest value wins that is not null, by order of landing and then of rows.
    Keys that are only seen in other tables get a row too, with every other column null.
    """
    (key,) = table.key
    latest = ",\n  ".join(
        f"arg_max({name}, (sequence, {ROW_ORDINAL})) FILTER ({name} IS NOT NULL) AS {name}"
        for name in table.column_names
        if name != key
    )
    seen = " UNION ALL ".join(
        f"SELECT {place.column} AS {key} FROM {place.table} WHERE {place.column} IS NOT NULL"  # noqa: S608
        for place in table.seen_in
    )
    everything = f"SELECT {key} FROM {LANDED}" + (f" UNION ALL {seen}" if seen else "")  # noqa: S608
    return f"""
WITH known AS (
  SELECT {key}, {latest}
  FROM {LANDED} JOIN {BATCHES} USING ({BATCH_ID})
  GROUP BY {key}
), keys AS (SELECT DISTINCT {key} FROM ({everything}))
SELECT {", ".join(table.column_names)}
FROM keys LEFT JOIN known USING ({key})
ORDER BY {key}
"""  # noqa: S608 -- only names from the catalog are put in
