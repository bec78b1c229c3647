"""Sending: the asset `email_sends`, beside the release and no part of it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from marketing_platform.defs.metadata import markdown_table
from marketing_platform.errors import MailUnavailable
from marketing_platform.mailing.opening import declared_templates, send_now
from marketing_platform.mailing.sending import Report
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores

EMAILS = "email_sends"


class CampaignsToSend(dg.Config):
    """Which campaigns; those that are scheduled unless they are named."""

    campaigns: list[str] = Field(default=[])
    dry_run: bool = False


@dg.asset(
    name=EMAILS,
    group_name="content",
    deps=["release"],
    kinds={"email"},
    owners=["team:marketing"],
    tags={"layer": "sending"},
)
def email_sends(
    context: dg.AssetExecutionContext,
    config: CampaignsToSend,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
) -> dg.MaterializeResult[Any]:
    """Campaigns of `templates/email/campaigns.yaml`, sent from the release that serves: once to each."""
    records = open_records(settings)
    declared = declared_templates(settings).campaigns
    names = config.campaigns or [one.campaign for one in declared if one.scheduled]
    reports = [
        send_now(settings, name, dry_run=config.dry_run, records=records, stores=stores) for name in names
    ]
    for report in reports:
        context.log.info(f"{report.campaign}: {report.document()}")
        if report.stopped is not None:
            raise MailUnavailable(report.stopped)
    return dg.MaterializeResult(
        metadata={
            "sent": sum(report.sent for report in reports),
            "unknown": sum(report.unknown + report.abandoned for report in reports),
            "campaigns": markdown_table(_COLUMNS, [*map(_row, reports)]),
            "left_out": markdown_table(["campaign", "reason", "users"], [*_left_out(reports)]),
        }
    )


_COLUMNS = ["campaign", "period", "release", "members", "ready", "sent", "waiting", "dead", "unknown"]


def _row(one: Report) -> tuple[Any, ...]:
    ended = (one.ready, one.sent, one.waiting, one.dead, one.unknown + one.abandoned)
    return (one.campaign, one.period, one.release_id, one.members, *ended)


def _left_out(reports: list[Report]) -> Iterator[tuple[Any, ...]]:
    for one in reports:
        for reason, count in sorted(one.left_out.items()):
            yield one.campaign, str(reason), count
