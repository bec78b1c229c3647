"""Signed calls of other programs: they land a file or ask for a run, as `webhooks.yaml` declares."""
