"""Puts the deliverer of an installation together, and says which anomalies a release found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pydantic import TypeAdapter, ValidationError

from marketing_platform.analytics.kpis.anomalies import Anomaly
from marketing_platform.automations.declared import Automations, load_automations
from marketing_platform.automations.delivering import Deliverer
from marketing_platform.automations.found import found_since
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.errors import UnknownName
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Reports
from marketing_platform.stores.registry import from_environment, open_stores

ANOMALIES = "kpi_anomalies"  # the report of a release that lists them
_ANOMALIES = TypeAdapter(list[Anomaly])
_log = logging.getLogger(__name__)


def declared_automations(settings: Settings) -> Automations:
    """What the installation declares; AutomationError when it is wrong."""
    allowed = from_environment(WebhookSettings).allowed_hosts
    return load_automations(settings.automations_dir, allowed_hosts=allowed)


def open_deliverer(settings: Settings, *, records: Records | None = None) -> Deliverer:
    """The deliverer of an installation; nothing is contacted before it runs.

    Raises:
        AutomationError: The declaration or the secret of an endpoint is wrong.
    """
    declared = declared_automations(settings)
    for endpoint in declared.endpoints:
        endpoint.keys()
    records = records or open_records(settings)
    anomalies = partial(anomalies_of, open_stores(settings).reports)

    def find(since: datetime):
        return found_since(since, records.shelf, records.ledger, anomalies)

    return Deliverer(records.outbox, declared, from_environment(WebhookSettings), find)


def anomalies_of(reports: Reports, manifest: Manifest) -> Sequence[Anomaly]:
    """The anomalies that a release found; none for a release from before they were looked for."""
    entry = manifest.reports.get(ANOMALIES)
    if entry is None:
        return ()
    try:
        return _ANOMALIES.validate_python(reports.read(entry.name)["anomalies"])
    except UnknownName:  # collected meanwhile
        return ()
    except (KeyError, ValidationError):  # of another version; the release itself is to be told
        _log.warning("the anomalies of %s cannot be read", manifest.release_id, exc_info=True)
        return ()
