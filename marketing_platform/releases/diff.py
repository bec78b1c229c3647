"""What changed between two releases, from their manifests alone."""

from __future__ import annotations

from typing import Any

from marketing_platform.releases.manifest import Manifest, TableEntry


def diff_releases(old: Manifest, new: Manifest) -> dict[str, Any]:
    """Batches, totals and tables that differ, as a plain document."""
    before = {batch.batch_id for batch in old.batches}
    after = {batch.batch_id for batch in new.batches}
    return {
        "old": old.release_id,
        "new": new.release_id,
        "batches_added": sorted(after - before),
        "batches_removed": sorted(before - after),
        "totals": {
            name: {"old": figure, "new": getattr(new.totals, name)}
            for name, figure in old.totals.model_dump().items()
            if figure != getattr(new.totals, name)
        },
        "tables": {
            name: _table(old.tables.get(name), new.tables.get(name))
            for name in sorted({*old.tables, *new.tables})
        },
    }


def _table(old: TableEntry | None, new: TableEntry | None) -> dict[str, Any]:
    return {
        "rows_old": old.rows if old else None,
        "rows_new": new.rows if new else None,
        "changed": (old.fingerprint if old else None) != (new.fingerprint if new else None),
    }
