"""What users wrote, as vectors, and who writes alike."""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.defs.changes import OF, PartsKept, parts_changed, parts_kept
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import (
    NAME,
    Collection,
    Parts,
    latest_metadata,
    latest_name,
    reusable,
    version_name,
)
from marketing_platform.defs.metadata import histogram, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.encoders import EmbeddingCache, Encoder, encode_cached
from marketing_platform.encoders.messages import (
    MESSAGES,
    MESSAGES_ADDED,
    MESSAGES_REMOVED,
    TEXTS,
    TOLD,
    UNDESCRIBED,
    WRITTEN,
    rows_of,
    text_table,
    vector_column,
    vector_matrix,
)
from marketing_platform.errors import UnknownName
from marketing_platform.graph import RECORD_ID
from marketing_platform.recommenders.neighbours import Nearest, mean_directions, nearest
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable, TableRef, VectorChange
from marketing_platform.stores.registry import Stores

GROUP = "embeddings"
_SHOWN = 20  # products that nobody described
_OWNERS = ["team:data-science"]
_RETRY = dg.RetryPolicy(max_retries=1, delay=1)


@dg.asset(
    group_name=GROUP,
    **stored_in("warehouse"),
    kinds={"onnx", "parquet"},
    owners=_OWNERS,
    tags={"layer": "embedding"},
    automation_condition=follow_upstream(),
    retry_policy=_RETRY,
)
def text_embeddings(
    context: dg.AssetExecutionContext,
    events: StoredTable,
    products: StoredTable,
    campaigns: StoredTable,
    interests: StoredTable,
    stores: dg.ResourceParam[Stores],
    encoder: dg.ResourceParam[Encoder],
    settings: dg.ResourceParam[Settings],
) -> Any:  # a table, or the parts it consists of
    """Each distinct text of a message, item or interest, and its unit vector; zero for the empty text."""
    if (before := reusable(context, model=encoder.name, dim=encoder.dim)) is not None:
        return before
    told_by = [events.ref, products.ref, campaigns.ref, interests.ref]
    texts = stores.warehouse.query(Select(TEXTS, told_by))["text"].combine_chunks()
    told: int = stores.warehouse.query(Select(TOLD, told_by))["texts"][0].as_py()
    kept = _texts_kept(context, stores, encoder, texts)
    new: list[str] = texts.filter(pc.invert(pc.is_in(texts, value_set=kept.keys))).to_pylist()
    cache = EmbeddingCache(settings.data_dir / "embedding_cache", encoder.name)
    vectors, stats = encode_cached(encoder, cache, new)
    context.add_output_metadata(
        {
            "model": encoder.name,
            "dim": encoder.dim,
            "unique_texts": len(texts),
            "unique_share": round(len(texts) / max(told, 1), 4),
            "cached": len(texts) - stats.encoded,
            "cached_share": round(1 - stats.encoded / max(len(texts), 1), 4),
            "encoded": stats.encoded,
            "seconds": round(stats.seconds, 2),
            **_undescribed(stores, products),
        }
    )
    added = text_table(new, vectors)
    if not kept.parts:
        return added
    if not new:
        return Parts(kept.parts, added.schema)
    part = f"{version_name('text_embeddings', context.run_id)}_added"
    with stores.warehouse.writer(part, added.schema) as writer:
        writer.add(added)
    return Parts((*kept.parts, part), added.schema)


def _texts_kept(
    context: dg.AssetExecutionContext, stores: Stores, encoder: Encoder, texts: pa.Array
) -> PartsKept:
    """The parts of the table built before whose texts are all still there, if the same model made them."""
    nothing = PartsKept((), pa.chunked_array([], pa.string()))
    try:
        latest = latest_metadata(context.instance, "text_embeddings")
        if (latest["model"].value, latest["dim"].value) != (encoder.name, encoder.dim):
            return nothing
        before = stores.warehouse.open(str(latest[NAME].value)).ref
        return parts_kept(stores.warehouse, before, "text", texts)
    except UnknownName:  # never made, or collected since
        return nothing


def _undescribed(stores: Stores, products: StoredTable) -> dict[str, Any]:
    """How many products nobody described, and some of them."""
    found: list[str] = stores.warehouse.query(Select(UNDESCRIBED, [products.ref]))["product_id"].to_pylist()
    shown = markdown_table(["product_id"], [[product] for product in found[:_SHOWN]])
    return {"undescribed": len(found), "undescribed_products": shown}


@dg.asset(
    group_name=GROUP,
    **stored_in("vectors"),
    kinds={"milvus"},
    owners=_OWNERS,
    tags={"layer": "embedding"},
    automation_condition=follow_upstream(),
    retry_policy=_RETRY,
)
def message_embeddings(
    context: dg.AssetExecutionContext,
    events: StoredTable,
    text_embeddings: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Any:  # Collection
    """One vector per message with a text, ready to be searched."""

    def ask(sql: str, *tables: TableRef) -> Iterator[pa.Table]:
        asked = Select(sql.format(record_id=RECORD_ID), [*tables, text_embeddings.ref])
        return stores.warehouse.batches(asked, chunk_rows=settings.chunk_rows)

    model, dim = _made_by(context, "text_embeddings")
    context.add_output_metadata({OF.format(events.ref.name): latest_name(context.instance, "events")})
    if (before := reusable(context, model=model)) is not None:
        return before
    made = _previous(context, model, stores)
    changed = parts_changed(stores.warehouse, made, events) if made else None
    return Collection(
        read=lambda: ask(MESSAGES, events.ref),
        dim=dim,
        model=model,
        change=VectorChange(
            base=str(made[NAME].value),
            removed=ask(MESSAGES_REMOVED, changed.came, changed.went),
            added=ask(MESSAGES_ADDED, changed.came, changed.went),
        )
        if made and changed
        else None,
    )


def _made_by(context: dg.AssetExecutionContext, vectors: str) -> tuple[str, int]:
    """Model and dimension of the vectors that an asset consists of.

    Not the encoder's that is set now: what is computed from vectors belongs to the model that made them.
    """
    made = latest_metadata(context.instance, vectors)
    return str(made["model"].value), int(str(made["dim"].value))


def _previous(
    context: dg.AssetExecutionContext, model: str, stores: Stores
) -> Mapping[str, dg.MetadataValue] | None:
    """What is told of the collection built before, if the same model made it: most of it stays as it is."""
    try:
        latest = latest_metadata(context.instance, "message_embeddings")
    except UnknownName:
        return None
    same = latest["model"].value == model and latest[NAME].value in stores.vectors.names()
    return latest if same else None


@dg.asset(
    group_name=GROUP,
    **stored_in("warehouse"),
    kinds={"parquet"},
    owners=_OWNERS,
    tags={"layer": "embedding"},
    automation_condition=follow_upstream(),
)
def user_vectors(
    context: dg.AssetExecutionContext,
    events: StoredTable,
    text_embeddings: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Any:  # a table
    """For each user who wrote something the normalised mean of the message vectors."""
    model, dim = _made_by(context, "text_embeddings")
    if (before := reusable(context, model=model)) is not None:
        return before
    texts = stores.warehouse.query(
        Select("SELECT text, text_embedding FROM text_embeddings", [text_embeddings.ref])
    )
    context.add_output_metadata({"model": model, "dim": dim})
    # Messages are many: of each only two numbers are kept.
    said: list[tuple[pa.Array, np.ndarray, np.ndarray]] = [
        (
            chunk["user_id"].combine_chunks().dictionary_encode(),
            rows_of(chunk["text"], texts["text"]),
            chunk["times"].to_numpy(),
        )
        for chunk in stores.warehouse.batches(Select(WRITTEN, [events.ref]), chunk_rows=settings.chunk_rows)
    ]
    if not said:
        return _user_table(pa.array([], pa.string()), np.zeros((0, dim), np.float32))
    users = pa.chunked_array([user for user, _, _ in said]).unify_dictionaries().combine_chunks()
    kept, vectors = mean_directions(
        users.indices.to_numpy(),
        np.concatenate([rows for _, rows, _ in said]),
        np.concatenate([times for _, _, times in said]),
        vector_matrix(texts["text_embedding"], dim=dim),
        count=len(users.dictionary),
    )
    return _user_table(users.dictionary.take(kept), vectors)


def _user_table(users: pa.Array, vectors: np.ndarray) -> pa.Table:
    return pa.table({"user_id": users.cast(pa.string()), "vector": vector_column(vectors)})


@dg.asset(
    group_name=GROUP,
    **stored_in("warehouse"),
    kinds={"numpy"},
    owners=_OWNERS,
    tags={"layer": "embedding"},
    automation_condition=follow_upstream(),
)
def similar_users(
    context: dg.AssetExecutionContext,
    user_vectors: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Any:  # a table
    """For each user the users whose messages mean most nearly the same, by cosine."""
    if (before := reusable(context, neighbours=settings.similar_users)) is not None:
        return before
    rows = stores.warehouse.query(
        Select("SELECT user_id, vector FROM user_vectors ORDER BY user_id", [user_vectors.ref])
    )
    _, dim = _made_by(context, "user_vectors")
    found = nearest(vector_matrix(rows["vector"], dim=dim), k=settings.similar_users)
    context.add_output_metadata({"recall": found.recall, "recall_measured": found.how})
    if found.scores.size:
        context.add_output_metadata(
            {"scores": histogram("Cosine of similar users", found.scores.reshape(-1))}
        )
    return _neighbour_table(rows["user_id"].combine_chunks(), found)


def _neighbour_table(users: pa.Array, found: Nearest) -> pa.Table:
    row, place = np.nonzero(found.indices >= 0)
    return pa.table(
        {
            "user_id": users.take(row),
            "rank": pa.array(place + 1, pa.int64()),
            "similar_user_id": users.take(found.indices[row, place]),
            "score": pa.array(found.scores[row, place], pa.float32()),
        }
    )
