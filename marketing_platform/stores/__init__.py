"""One module per datastore: what writes it and what reads it, behind one protocol per role.

`protocols.py` says what a role promises, `registry.py` which datastore plays it in a profile.
Nothing here knows recommendations, KPIs or Dagster: stores move rows, documents, vectors,
relations and bytes under names they are given, and never overwrite a name.
"""
