"""Events as documents that people open."""

from collections.abc import Callable, Iterator

import dagster as dg
import pyarrow as pa

from marketing_platform.analytics.enrichment import CAMPAIGNS, enrichment, made_with, set_name
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import DocumentSets
from marketing_platform.graph import RECORD_ID
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable, TableRef
from marketing_platform.stores.registry import Stores

GROUP = "documents"


@dg.asset(
    group_name=GROUP,
    description=enrichment().description,
    io_manager_key="enriched_io",
    pool="documents",  # it is the datastore of the raw documents
    kinds={"parquet"},
    owners=["team:data-platform"],
    tags={"layer": "document"},
    automation_condition=follow_upstream(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=1),
)
def enriched_events(
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
    events: StoredTable,
    campaigns: StoredTable,
) -> DocumentSets:
    """One set per part of events; a release shares the sets of parts that an earlier one had."""
    query = enrichment().query.format(record_id=RECORD_ID)
    version = made_with(query, stores.warehouse.query(Select(CAMPAIGNS, [campaigns.ref])).to_pylist())

    def reader(part: str) -> Callable[[], Iterator[pa.Table]]:
        one = TableRef(events.ref.name, (part,), events.ref.schema)
        select = Select(query, [one, campaigns.ref])
        return lambda: stores.warehouse.batches(select, chunk_rows=settings.chunk_rows)

    readers = {set_name(part, version): reader(part) for part in events.ref.parts}
    return DocumentSets(readers, enrichment())
