"""What the platform tells other programs (webhooks out), and what signed calls from them may do (hooks in).

No Dagster here and no FastAPI: events are found in records, sent by a process of its own, and calls come
through `serving/hooks/`. What is kept of both is in `releases/outbox.py` and `releases/calls.py`, why so in
docs/decisions/0025-webhooks.md.
"""
