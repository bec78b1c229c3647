"""Whether MongoDB is ready for raw records and answers."""

from __future__ import annotations

import pymongo
from pymongo.errors import OperationFailure

from marketing_platform.stores.diagnosis import Found, timed, too_old
from marketing_platform.stores.mongo_sessions import MongoSession
from marketing_platform.stores.mongo_settings import MongoSettings

_OLDEST = (5, 0)
_PROBE = "doctor_probe"


def diagnose(settings: MongoSettings) -> Found:
    """Connect, see the version, store a document and remove it; StoreUnavailable when there is no way in."""
    session = MongoSession(settings)
    try:
        with session.reaching(), pymongo.timeout(settings.connect_seconds):
            client = session.database.client
            client.admin.command("ping")  # the first one connects
            _, milliseconds = timed(lambda: client.admin.command("ping"))
            version = str(client.server_info()["version"])
            missing = list(too_old(version, _OLDEST, "MARKETING_MONGO_HOSTS"))
            try:
                session.database[_PROBE].insert_one({})
                session.database.drop_collection(_PROBE)
            except OperationFailure as error:
                missing.append(
                    f"no right to store ({error.code}): give {settings.user or 'the user'} the role readWrite"
                    f" on {settings.database}"
                )
    finally:
        session.close()
    return Found(version, milliseconds, tuple(missing))
