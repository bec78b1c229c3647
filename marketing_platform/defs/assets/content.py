"""What personal content is made of, prepared for every user."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from marketing_platform.content import people as facts
from marketing_platform.content.board.pictures import BOARD_IMAGES
from marketing_platform.content.people import PEOPLE
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, latest_name, reusable
from marketing_platform.defs.pools import stored_in
from marketing_platform.errors import UnknownName
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.recommenders.rules.spec import Exclude
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores, from_environment

GROUP = "content"


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
    context: dg.AssetExecutionContext,
    users: StoredTable,
    purchases: StoredTable,
    products: StoredTable,
    derived_interests: StoredTable,
    product_pairs: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Any:  # Prepared
    """For each user who they are, what they bought lately, what goes with it and what they care about."""
    if (before := reusable(context, rules=declared_version(settings.rules_dir))) is not None:
        return before

    def rows(sql: str, *tables: StoredTable, **parameters: int) -> Iterator[pa.Table]:
        select = Select(sql, [table.ref for table in tables], parameters)
        return stores.warehouse.batches(select, chunk_rows=settings.chunk_rows)

    rules = load_rules(settings.rules_dir).of("products")
    excluded = [rule.where for rule in rules if isinstance(rule, Exclude) and rule.where]
    pairs = Select(facts.pairs_sql(excluded), [product_pairs.ref, products.ref], {"most": facts.MOST_PAIRS})

    return Prepared(
        facts.people(
            rows(facts.USERS_SQL, users),
            rows(facts.PURCHASES_SQL, purchases, products, most=facts.MOST),
            rows(facts.INTERESTS_SQL, derived_interests, most=facts.MOST),
            stores.warehouse.query(pairs),
        )
    )


@dg.asset(
    name=BOARD_IMAGES,
    group_name=GROUP,
    deps=["products"],
    **stored_in("answers"),
    kinds={"sqlite", "json"},
    owners=["team:marketing"],
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def board_images(
    context: dg.AssetExecutionContext, stores: dg.ResourceParam[Stores], settings: dg.ResourceParam[Settings]
) -> Prepared:
    """The declared images of products and categories, or why one cannot be had; fetched anew once a week."""
    from marketing_platform.content.board.fetching import fetch_all
    from marketing_platform.content.board.image_settings import ImageSettings
    from marketing_platform.content.board.loading import load_design

    declared = load_design(settings.boards_dir).images
    caps = from_environment(ImageSettings)
    with _kept(context.instance, stores) as before:
        found = list(fetch_all(declared, caps, before, now=datetime.now(UTC)))
    keys, answers = [key for key, _ in found], [value for _, value in found]
    return Prepared([pa.table({"key": keys, "answer": answers}, schema=ANSWER_SCHEMA)])


@contextmanager
def _kept(instance: dg.DagsterInstance, stores: Stores) -> Generator[Callable[[str], bytes | None]]:
    """What the latest materialization holds, by key."""
    try:
        latest = stores.answers.open(latest_name(instance, BOARD_IMAGES))
    except UnknownName:
        yield lambda _: None
        return
    with closing(latest):
        yield latest.get
