"""The files of the three ad platforms, each in the manner of its vendor."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from marketing_platform.sample import flaws, texts
from marketing_platform.sample.adverts import DEVICES, Spend, platform_spend
from marketing_platform.sample.chance import Ints
from marketing_platform.sample.exports import FileSummary, Separated, write_parquet, write_text
from marketing_platform.sample.flaws import Columns
from marketing_platform.sample.world import FIRST_DAY, World

_MICROS_PER_CENT = 10_000


def write_meta(root: Path, world: World, seed: int) -> FileSummary:
    """Meta: CSV with the headings of the ads manager, ISO days."""
    spend = platform_spend(world, "Meta", seed)
    columns = _columns(spend, "%Y-%m-%d", texts.decimals(spend.cost), texts.decimals(spend.value))
    layout = Separated(
        [
            ("Reporting starts", "day"),
            ("Account name", "account"),
            ("Campaign name", "campaign"),
            ("Country", "country"),
            ("Impression device", "device"),
            ("Amount spent (EUR)", "cost"),
            ("Impressions", "impressions"),
            ("Link clicks", "clicks"),
            ("Purchases", "conversions"),
            ("Purchases conversion value", "value"),
        ]
    )
    quoted = {**columns, "campaign": texts.quoted(columns["campaign"])}
    return write_text(root, "ads/ad_spend_meta.csv", layout, quoted, flaws.META)


def write_google(root: Path, world: World, seed: int) -> FileSummary:
    """Google: Parquet from the reporting API, cost in micros, attributed conversions."""
    spend = platform_spend(world, "Google", seed)
    # A tenth of each conversion is credited to the click before the last.
    attributed = texts.decimals(spend.conversions * 90 + (spend.clicks % 7 == 0) * 10)
    columns = {
        **_columns(
            spend, "%Y-%m-%d", texts.numbers(spend.cost * _MICROS_PER_CENT), texts.decimals(spend.value)
        ),
        "conversions": attributed,
        "device": texts.chosen([device.upper() for device in DEVICES], spend.device),
    }
    fields = {
        "segments_date": ("day", pa.date32()),
        "customer_descriptive_name": ("account", pa.string()),
        "campaign_name": ("campaign", pa.string()),
        "country_code": ("country", pa.string()),
        "segments_device": ("device", pa.string()),
        "metrics_cost_micros": ("cost", pa.int64()),
        "metrics_impressions": ("impressions", pa.int64()),
        "metrics_clicks": ("clicks", pa.int64()),
        "metrics_conversions": ("conversions", pa.float64()),
        "metrics_conversions_value": ("value", pa.float64()),
    }
    return write_parquet(root, "ads/google_spend.parquet", fields, columns, flaws.GOOGLE)


def write_microsoft(root: Path, world: World, seed: int) -> FileSummary:
    """Microsoft: the download for spreadsheets, tabs and UTF-16, German number format."""
    spend = platform_spend(world, "Microsoft", seed)
    columns = _columns(spend, "%d.%m.%Y", texts.decimals(spend.cost, ","), texts.decimals(spend.value, ","))
    layout = Separated(
        [
            ("Zeitraum", "day"),
            ("Kontoname", "account"),
            ("Kampagne", "campaign"),
            ("Land", "country"),
            ("Gerätetyp", "device"),
            ("Ausgaben", "cost"),
            ("Impressionen", "impressions"),
            ("Klicks", "clicks"),
            ("Conversions", "conversions"),
            ("Umsatz", "value"),
        ],
        delimiter="\t",
        encoding="utf-16-le",
        byte_order_mark=True,
    )
    return write_text(root, "ads/microsoft_spend.tsv", layout, columns, flaws.MICROSOFT)


def _columns(spend: Spend, day_pattern: str, cost: texts.Texts, value: texts.Texts) -> Columns:
    def chosen(options: list[str], places: Ints) -> texts.Texts:
        return texts.chosen(options, places)

    return {
        "day": texts.moments(texts.second_of(FIRST_DAY) + spend.day * 86_400, day_pattern),
        "account": texts.constant(spend.market.account, len(spend)),
        "campaign": chosen([campaign.name for campaign in spend.campaigns], spend.campaign),
        "country": chosen(list(spend.market.countries), spend.country),
        "device": chosen(list(DEVICES), spend.device),
        "cost": cost,
        "impressions": texts.numbers(spend.impressions),
        "clicks": texts.numbers(spend.clicks),
        "conversions": texts.numbers(spend.conversions),
        "value": value,
    }
