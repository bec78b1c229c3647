"""Batches, releases and the pointer between them: what may be served and what is.

`ledger.py` keeps which objects landed and what became of them, `manifest.py` says what one
release consists of, `pointer.py` which release serves (kept by `shelf_folder.py` or
`shelf_database.py`), `writer.py` who may write, `notices.py` what people are told; `records.py` opens
these for a profile. `verification.py` says when a release may be published, `collection.py` what may
be deleted. No datastore's data is touched except through `stores/`.
"""
