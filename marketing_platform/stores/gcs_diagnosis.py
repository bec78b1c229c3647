"""Whether the buckets in Cloud Storage are ready for landed and kept objects and reports."""

from __future__ import annotations

from google.cloud.storage import Bucket

from marketing_platform.stores.diagnosis import Found, timed
from marketing_platform.stores.gcs_sessions import GcsSession
from marketing_platform.stores.gcs_settings import GcsSettings

_RIGHTS = tuple(f"storage.objects.{right}" for right in ("create", "delete", "get", "list"))


def diagnose(settings: GcsSettings) -> Found:
    """Look into both buckets, and see what the account may do; StoreUnavailable when there is no way in."""
    # Somebody waits: one try for half as long as a run would take.
    patient = min(settings.retry_seconds, settings.connect_seconds)
    session = GcsSession(settings.model_copy(update={"retry_seconds": patient}))
    with session.reaching():
        session.require(session.landing)  # the first one connects
        _, milliseconds = timed(lambda: session.require(session.keeping))
        missing = () if settings.anonymous else _lacking(session, session.keeping)
    return Found(None, milliseconds, missing)


def _lacking(session: GcsSession, bucket: Bucket) -> tuple[str, ...]:
    granted = set(bucket.test_iam_permissions(list(_RIGHTS), **session.patience))
    lacking = [right for right in _RIGHTS if right not in granted]
    if not lacking:
        return ()
    return (f"no right to {', '.join(lacking)}: give the account Storage Object Admin on gs://{bucket.name}",)
