"""The way of rows to a load job: a Parquet file, then an object in the staging bucket.

A file first, because an upload that is cut off would otherwise have to be begun again with rows that
are gone. What becomes of the object belongs to `warehouse_bigquery.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import NotFound

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.bigquery_rows import to_stored
from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform.stores.gcs_sessions import GcsSession
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.protocols import StoredTable

STORED_ROW = "stored_row"
_ROW_GROUP = 122_880


class StagedWriter:
    """Writes the rows of one part into a file, which is uploaded when it is complete."""

    def __init__(self, path: Path, schema: pa.Schema, *, numbered: bool) -> None:
        self._schema = schema
        self._numbered = numbered
        stored = to_stored(schema.empty_table()).schema
        self._file = pq.ParquetWriter(
            path, stored.append(pa.field(STORED_ROW, pa.int64())) if numbered else stored, compression="zstd"
        )
        self.rows = 0
        self.finished: StoredTable | None = None

    def add(self, rows: pa.Table) -> None:
        content = to_stored(rows.cast(self._schema))
        if self._numbered:
            numbers = pa.array(range(self.rows, self.rows + rows.num_rows), pa.int64())
            content = content.append_column(STORED_ROW, numbers)
        if rows.num_rows:
            self._file.write_table(content, row_group_size=_ROW_GROUP)
            self.rows += rows.num_rows

    def close(self) -> None:
        self._file.close()

    @property
    def stored(self) -> StoredTable:
        if self.finished is None:
            raise RuntimeError("the part is stored when the writer's block has ended")
        return self.finished


class Staging:
    """The folder of the staging bucket."""

    def __init__(self, settings: BigQuerySettings, gcs: GcsSettings) -> None:
        bucket = settings.staging_bucket or gcs.keeping
        self._session = GcsSession(gcs.model_copy(update={"kept_bucket": bucket}))
        self._prefix = settings.staging_prefix

    @contextmanager
    def uploaded(self, path: Path) -> Generator[str]:
        """The address of a file in the staging bucket, where it lies as long as the block runs."""
        blob = self._session.keeping.blob(
            f"{self._prefix}{uuid.uuid4().hex}.parquet", chunk_size=self._session.settings.portion_bytes
        )
        with self._session.reaching():
            blob.upload_from_filename(str(path), checksum="crc32c", **self._session.patience)
        try:
            yield f"gs://{blob.bucket.name}/{blob.name}"
        finally:
            # What cannot be deleted now is left to the bucket's lifecycle rule.
            with suppress(StoreUnavailable), self._session.reaching(), suppress(NotFound):
                blob.delete(**self._session.patience)
