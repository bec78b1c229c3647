"""What users wrote, as vectors, and who writes alike."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from marketing_platform.defs.changes import OF, parts_changed
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import (
    NAME,
    Collection,
    latest_metadata,
    latest_name,
    reusable,
)
from marketing_platform.defs.metadata import histogram, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.encoders import EmbeddingCache, Encoder, encode_cached
from marketing_platform.encoders.messages import (
    MESSAGES,
    MESSAGES_ADDED,
    MESSAGES_REMOVED,
    TEXTS,
    UNDESCRIBED,
    WRITTEN,
    text_table,
    vector_column,
    vector_matrix,
)
from marketing_platform.errors import UnknownName
from marketing_platform.graph import RECORD_ID
from marketing_platform.recommenders.neighbours import nearest, user_vectors_of
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
) -> Any:  # a table
    """Each distinct text of a message, item or interest, and its unit vector; zero for the empty text."""
    if (before := reusable(context, model=encoder.name, dim=encoder.dim)) is not None:
        return before
    said = Select(TEXTS, [events.ref, products.ref, campaigns.ref, interests.ref])
    texts: list[str] = stores.warehouse.query(said)["text"].to_pylist()
    cache = EmbeddingCache(settings.data_dir / "embedding_cache", encoder.name)
    vectors, stats = encode_cached(encoder, cache, texts)
    context.add_output_metadata(
        {
            "model": encoder.name,
            "dim": encoder.dim,
            "unique_texts": stats.unique,
            "cached": stats.cached,
            "encoded": stats.encoded,
            "seconds": round(stats.seconds, 2),
            **_undescribed(stores, products),
        }
    )
    return text_table(texts, vectors)


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
) -> Any:  # a table
    """For each user who wrote something the normalised mean of the message vectors."""
    model, dim = _made_by(context, "text_embeddings")
    if (before := reusable(context, model=model)) is not None:
        return before
    texts = stores.warehouse.query(
        Select("SELECT text, text_embedding FROM text_embeddings", [text_embeddings.ref])
    )
    written = stores.warehouse.query(Select(WRITTEN, [events.ref]))
    context.add_output_metadata({"model": model, "dim": dim})
    row_of = {text: row for row, text in enumerate(texts["text"].to_pylist())}
    users, vectors = user_vectors_of(
        written["user_id"].to_pylist(),
        np.fromiter(
            (row_of[text] for text in written["text"].to_pylist()), dtype=np.int64, count=len(written)
        ),
        written["times"].to_numpy(),
        vector_matrix(texts["text_embedding"], dim=dim),
    )
    return pa.table({"user_id": pa.array(users, pa.string()), "vector": vector_column(vectors)})


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
    ids = np.asarray(rows["user_id"].to_pylist(), dtype=object)
    _, dim = _made_by(context, "user_vectors")
    indices, scores = nearest(vector_matrix(rows["vector"], dim=dim), k=settings.similar_users)
    if scores.size:
        context.add_output_metadata({"scores": histogram("Cosine of similar users", scores.reshape(-1))})
    return _neighbour_table(ids, indices, scores)


def _neighbour_table(ids: np.ndarray, indices: np.ndarray, scores: np.ndarray) -> pa.Table:
    users, neighbours = indices.shape
    return pa.table(
        {
            "user_id": pa.array(np.repeat(ids, neighbours), pa.string()),
            "rank": pa.array(np.tile(np.arange(1, neighbours + 1), users), pa.int64()),
            "similar_user_id": pa.array(ids[indices.reshape(-1)], pa.string()),
            "score": pa.array(scores.reshape(-1), pa.float32()),
        }
    )
