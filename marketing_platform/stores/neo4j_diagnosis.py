"""Whether Neo4j is ready for the graph."""

from __future__ import annotations

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.diagnosis import Found, timed, too_old
from marketing_platform.stores.neo4j_bolt import Bolt
from marketing_platform.stores.neo4j_settings import Neo4jSettings

_OLDEST = (5,)


def diagnose(settings: Neo4jSettings) -> Found:
    """Connect, see the version, make a node and remove it; StoreUnavailable when there is no way in."""
    with Bolt(settings) as bolt:
        bolt.read("RETURN 1 AS one", {})  # the first one connects
        _, milliseconds = timed(lambda: bolt.read("RETURN 1 AS one", {}))
        (component,) = bolt.read(
            "CALL dbms.components() YIELD versions RETURN versions[0] AS version LIMIT 1", {}
        )
        version = str(component["version"])
        missing = list(too_old(version, _OLDEST, "MARKETING_NEO4J_URI"))
        try:
            bolt.write(("CREATE (probe:DoctorProbe) DELETE probe", {}))
        except StoreUnavailable as error:
            missing.append(f"no right to store: {error}; give {settings.user} the role publisher or admin")
    return Found(version, milliseconds, tuple(missing))
