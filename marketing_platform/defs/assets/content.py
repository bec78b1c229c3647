"""What personal content is made of, prepared for every user."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from marketing_platform.content import people as facts
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared
from marketing_platform.defs.pools import stored_in
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "content"
PEOPLE = "people"


@dg.asset(
    name=PEOPLE,
    group_name=GROUP,
    **stored_in("answers"),
    kinds={"sqlite", "json"},
    owners=["team:marketing"],
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def people(
    users: StoredTable,
    purchases: StoredTable,
    products: StoredTable,
    derived_interests: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Prepared:
    """For each user who they are, what they bought lately and what they care about."""

    def rows(sql: str, *tables: StoredTable, **parameters: int) -> Iterator[pa.Table]:
        select = Select(sql, [table.ref for table in tables], parameters)
        return stores.warehouse.batches(select, chunk_rows=settings.chunk_rows)

    return Prepared(
        facts.people(
            rows(facts.USERS_SQL, users),
            rows(facts.PURCHASES_SQL, purchases, products, most=facts.MOST),
            rows(facts.INTERESTS_SQL, derived_interests, most=facts.MOST),
        )
    )
