"""Declarations: what is accepted, how files are matched, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.errors import SourceError
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import SourceSpec, load_sources, match_source
from marketing_platform_tests.declared import DeclarationsContract, Kind

GOOD = """\
source: shop
description: Orders.
path: shop/orders*.csv
format: {type: csv}
tables:
  purchases:
    columns:
      order_id: Order
      currency: {constant: GBP}
"""


def _load(folder: Path, *texts: str) -> tuple[SourceSpec, ...]:
    for number, text in enumerate(texts):
        (folder / f"s{number}.yaml").write_text(text, encoding="utf-8")
    return load_sources(folder)


def _errors(folder: Path, *texts: str) -> list[str]:
    with pytest.raises(SourceError) as caught:
        _load(folder, *texts)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    text = (PROJECT_DIR / "docs" / "sources.md").read_text(encoding="utf-8")
    (spec,) = _load(tmp_path, text.split("```yaml\n")[1].split("```")[0])
    assert spec.fields == (
        "Order no",
        "Customer",
        "SKU",
        "Ordered",
        "Qty",
        "Price",
        "Country",
        "Brand",
        "Title",
    )


def test_the_declarations_of_this_repository_load() -> None:
    names = {spec.name for spec in load_sources(PROJECT_DIR / "sources")}
    assert {
        "online_retail",
        "conversations",
        "ads_spend",
        "google_ads_ad",
        "microsoft_ads_geography",
    } <= names


def test_an_empty_folder_declares_nothing(tmp_path: Path) -> None:
    assert load_sources(tmp_path) == ()
    with pytest.raises(SourceError, match="expected a folder"):
        load_sources(tmp_path / "none")


class TestDeclarations(DeclarationsContract):
    kind = Kind("shop.yaml", load_sources, SourceError)
    good = GOOD
    spoiled = (
        ("description", "descriptoin", "2: descriptoin: expected one of source, description,"),
        ("description", "descriptoin", "found 'descriptoin' (did you mean 'description'?)"),
        ("source: shop", "source: My shop", "1: source: expected a name of a-z, 0-9 and _"),
        ("shop/orders*.csv", "[]", "3: path: expected at least one entry, found an empty list"),
        ("shop/orders*.csv", '"a[z-b].csv"', "3: path: expected a pattern"),
        ("type: csv", "type: cvs", "4: format.type: expected one of csv, ndjson, json, parquet, found 'cvs'"),
        (
            "type: csv",
            "delimiter: x",
            "4: format.type: expected one of csv, ndjson, json, parquet, found nothing",
        ),
        ("type: csv", "type: csv, delimter: x", "4: format.delimter: expected one of type, delimiter"),
        ("type: csv", "type: parquet, encoding: utf-8", "4: format.encoding: expected one of type, found"),
        ("type: csv", "type: csv, encoding: utf9", "4: format.encoding: expected a text encoding"),
        ("type: csv", "type: csv, encoding: rot13", "4: format.encoding: expected a text encoding"),
        ("type: csv", 'type: csv, delimiter: "::"', "4: format.delimiter: expected one character"),
        ("type: csv", "type: csv, quote: ','", "4: format: expected delimiter, quote and escape that differ"),
        (
            "type: csv",
            "type: csv, compression: zip",
            "4: format.compression: expected one of 'auto', 'gzip', 'none'",
        ),
        ("type: csv", "type: csv, skip_rows: -1", "4: format.skip_rows: expected"),
        (
            "type: csv",
            "type: csv, header: false",
            "4: format.header: expected true, or the list of the field names",
        ),
        (
            "type: csv",
            "type: csv, header: [a, b]",
            "8: tables.purchases.columns.order_id: expected a field of",
        ),
        ("tables:", "timezone: Mars/Base\ntables:", "5: timezone: expected an IANA time zone"),
        (
            "tables:",
            "format: {type: csv}\ntables:",
            "4: format: expected each key once, found it again in line 5",
        ),
        ("purchases:", "purchase:", "6: tables.purchase: expected one of ad_spend"),
        ("purchases:", "purchase:", "(did you mean 'purchases'?)"),
        ("order_id:", "ordr_id:", "8: tables.purchases.columns.ordr_id: expected one of purchase_id"),
        (
            "constant: GBP",
            "constnt: GBP",
            "9: tables.purchases.columns.currency.constnt: expected one of field",
        ),
        ("constant: GBP", "constant: GBP, field: x", "expected exactly one of field, constant, template"),
        ("constant: GBP", "template: GBP", "expected a template with at least one {field}"),
        (
            "constant: GBP",
            "field: x, unit: micros",
            "currency.unit: expected no unit for string, found 'micros'",
        ),
        ("constant: GBP", 'field: x, format: "%Y"', "currency.format: expected no format for string"),
        ("constant: GBP", 'field: x, thousands: ","', "currency.thousands: expected no thousands separator"),
        ("constant: GBP", "field: x, otherwise: missing", "`otherwise` only together with `map`"),
        (
            "order_id: Order",
            'timestamp: {field: x, format: "%Q"}',
            "timestamp.format: expected a strptime format",
        ),
        (
            "order_id: Order",
            "timestamp: {field: x, unit: micros}",
            "expected one of seconds, milliseconds for timestamp",
        ),
        (
            "order_id: Order",
            "quantity: {field: x, drop_decimal_zeros: true}",
            "expected this only for string",
        ),
        ("order_id: Order", "quantity: {field: x, per: y}", "quantity.per: expected this only for money"),
        ("constant: GBP", "constant: GBP, per: x", "`per` only together with `field`"),
        ("order_id: Order", "order_id: [a]", "8: tables.purchases.columns.order_id: expected a mapping"),
        (
            "GBP}\n",
            "GBP}\n    skip_when_missing: [user_id]\n",
            "10: tables.purchases.skip_when_missing.0: expected one",
        ),
        ("tables:", "tables", "expected YAML, found a syntax error"),
        (
            "description: Orders.",
            "description: &a [*a]",
            "2: description.0: expected a value, found an alias",
        ),
    )


def test_all_problems_of_all_files_are_told(tmp_path: Path) -> None:
    bad = (
        GOOD.replace("purchases:", "purchase:")
        .replace("csv}", "cvs}")
        .replace("source: shop", "source: 7 shops")
    )
    errors = _errors(tmp_path, bad, "- a list", "")
    keys = "source, description, path, format, timezone, nulls, tables"
    assert [error.split(": ")[:2] for error in errors] == [
        ["s0.yaml:1", "source"],
        ["s0.yaml:4", "format.type"],
        ["s0.yaml:6", "tables.purchase"],
        ["s1.yaml:1", f"expected a mapping with the keys {keys}, found a list"],
        ["s2.yaml:1", f"expected a mapping with the keys {keys}, found nothing"],
    ]


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, GOOD, GOOD)
    assert error.startswith("s1.yaml:1: source: expected a name of its own, found 'shop'")
    assert "s0.yaml" in error


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("orders*.csv", "orders_1.csv", True),
        ("orders*.csv", "eu/shop/orders_1.csv", True),
        ("orders*.csv", "my_orders.csv", False),
        ("orders*.csv", "orders/1.csv", False),
        ("orders*.csv", "orders_1.csv.gz", True),
        ("orders*.csv", "ORDERS.csv", False),
        ("shop/*.csv", "eu/shop/a.csv", True),
        ("shop/*.csv", "eshop/a.csv", False),
        ("shop/**/a.csv", "shop/a.csv", True),
        ("shop/**/a.csv", "shop/x/y/a.csv", True),
        ("**/a.csv", "a.csv", True),
        ("a[12].csv", "a2.csv", True),
        ("a[!12].csv", "a2.csv", False),
        ("a?.csv", "a/.csv", False),
        ("a.csv", "aXcsv", False),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, name: str, found: bool) -> None:
    specs = _load(tmp_path, GOOD.replace("shop/orders*.csv", f'"{pattern}"'))
    assert (match_source(specs, name) is not None) is found


def test_two_sources_for_one_object(tmp_path: Path) -> None:
    specs = _load(tmp_path, GOOD, GOOD.replace("source: shop", "source: other").replace("shop/", ""))
    with pytest.raises(SourceError, match=r"shop/orders.csv: matched by the sources 'shop' .* and 'other'"):
        match_source(specs, "shop/orders.csv")
    assert match_source(specs, "web/orders.csv") == specs[1]


def test_the_fingerprint_changes_with_the_declaration_only(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder, text in zip(
        folders, (GOOD, f"# A comment.\n{GOOD}", GOOD.replace("GBP", "EUR")), strict=True
    ):
        folder.mkdir()
        _load(folder, text)
    first, commented, changed = (load_sources(folder)[0].fingerprint for folder in folders)
    assert first == commented != changed
