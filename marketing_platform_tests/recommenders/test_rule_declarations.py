"""`rules/recommendations.yaml`: what is accepted, what a wrong one is told, and the command that says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from marketing_platform.cli.app import app
from marketing_platform.errors import RuleError
from marketing_platform.recommenders.rules import RuleBook, load_rules
from marketing_platform.releases.version import code_version
from marketing_platform.settings import PROJECT_DIR, load_settings
from marketing_platform_tests.declared import DeclarationsContract, Kind

GOOD = """\
products:
  - rule: boost
    name: summer
    factor: 1.2
    where:
      category: [Camping, Hiking]
      price: {at_least: 20, at_most: 100}
  - {rule: pin, name: gift, item: P-1, position: 1, until: 2026-12-24}
  - {rule: at_most, name: mixed, items: 3, per: category}
campaigns:
  - {rule: exclude, name: over, when: ended_campaign}
  - {rule: holdout, name: control, share: 0.05, salt: s}
"""


KIND = Kind("recommendations.yaml", load_rules, RuleError)


class TestDeclarations(DeclarationsContract):
    kind = KIND
    good = GOOD
    spoiled = (
        (
            "products:",
            "product:",
            "1: product: expected one of products, campaigns, found 'product' (did you",
        ),
        ("rule: boost", "rule: bost", "2: products.0.rule: expected one of exclude, frequency_cap,"),
        ("rule: boost", "rule: bost", "found 'bost' (did you mean 'boost'?)"),
        ("- rule: boost\n    name", "- name", "2: products.0.rule: expected one of exclude,"),
        ("factor: 1.2", "faktor: 1.2", "2: products.0.factor: expected this key, found nothing"),
        ("factor: 1.2", "faktor: 1.2", "4: products.0.faktor: expected one of name, rule, factor, where"),
        ("factor: 1.2", "factor: lots", "4: products.0.factor: expected a number, found 'lots'"),
        ("factor: 1.2", "factor: -1", "4: products.0.factor: expected a number above 0, found -1"),
        ("factor: 1.2", "factor: .inf", "4: products.0.factor: expected a number that is not infinite"),
        ("share: 0.05", "share: 1", "12: campaigns.1.share: expected a number below 1, found 1"),
        ("category: [", "categories: [", "6: products.0.where.categories: expected one of product_id, name,"),
        ("[Camping, Hiking]", "[]", "6: products.0.where.category.is: expected at least one entry"),
        (
            "[Camping, Hiking]",
            "[Camping, 7]",
            "6: products.0.where.category: expected text for category, found 7",
        ),
        ("[Camping, Hiking]", "", "6: products.0.where.category: expected a value, a list of values, or"),
        ("at_least: 20", "at_leest: 20", "7: products.0.where.price.at_leest: expected one of is, at_least,"),
        (
            "at_least: 20",
            "at_least: cheap",
            "7: products.0.where.price.at_least: expected a number for price",
        ),
        (
            "at_least: 20",
            "at_least: 200",
            "7: products.0.where.price.at_most: expected at least 200, found 100",
        ),
        ("[Camping, Hiking]", "{at_most: B}", "6: products.0.where.category.at_most: expected no bounds for"),
        ("position: 1", "position: 0", "8: products.1.position: expected a number of at least 1, found 0"),
        ("position: 1", "position: 1.5", "8: products.1.position: expected a whole number, found 1.5"),
        (
            "2026-12-24",
            "Christmas",
            "8: products.1.until: expected a date such as 2026-12-24, found 'Christmas'",
        ),
        ("item: P-1", "item: 17", "8: products.1.item: expected text, found 17"),
        ("per: category", "per: brand", "9: products.2.per: expected one of product_id, name, category,"),
        ("name: mixed", "name: gift", "9: products.2.name: expected a name of its own, found 'gift', which"),
        (
            "when: ended_campaign",
            "when: out_of_stock",
            "11: campaigns.0.when: expected this only among products",
        ),
        ("when: ended_campaign", "when: sold", "11: campaigns.0.when: expected one of 'already_bought',"),
        (", when: ended_campaign", "", "11: campaigns.0: expected either `when` (a reason) or `where`"),
        (
            GOOD.partition("campaigns:\n")[2],
            "  {rule: exclude, name: over, when: ended_campaign}\n",
            "10: campaigns: expected a list, found a mapping",
        ),
        (
            "control, share: 0.05, salt: s}",
            "control, share: 0.05}",
            "12: campaigns.1.salt: expected this key",
        ),
    )


def test_a_good_file_loads(tmp_path: Path) -> None:
    book = KIND.load(tmp_path, GOOD)
    assert [rule.label for rule in book.of("products")] == [
        "boost summer x1.2",
        "pin gift at 1",
        "at most mixed 3 per category",
    ]
    assert [rule.label for rule in book.of("campaigns")] == ["exclude over", "holdout control 0.05"]


def test_the_rules_of_this_repository_load() -> None:
    book = load_rules(PROJECT_DIR / "rules")
    assert book.products
    assert book.campaigns


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    text = (PROJECT_DIR / "docs" / "recommendations.md").read_text(encoding="utf-8")
    book = KIND.load(tmp_path, text.split("```yaml\n")[1].split("```")[0])
    assert [rule.label for rule in book.products][1] == "boost summer x1.2"


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert load_rules(tmp_path) == RuleBook()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (
            "{rule: pin, name: other, item: P-2, position: 1}",
            "13: products.3.position: expected a position of its",
        ),
        (
            "{rule: pin, name: other, item: P-1, position: 2}",
            "13: products.3.item: expected one pin per item",
        ),
        ("{rule: at_most, name: other, items: 1}", "13: products.3.per: expected one at_most per attribute"),
    ],
)
def test_two_rules_that_contradict_each_other(tmp_path: Path, second: str, expected: str) -> None:
    campaigns, products = GOOD.index("campaigns:"), GOOD.index("products:")
    text = GOOD[campaigns:] + GOOD[products:campaigns] + f"  - {second}\n"
    assert expected.partition(": ")[2] in KIND.errors(tmp_path, text)


def test_one_holdout_and_one_diversity(tmp_path: Path) -> None:
    twice = "".join(f"  - {{rule: holdout, name: h{n}, share: .1, salt: s}}\n" for n in range(2))
    assert "3: products.1.rule: expected one holdout, found 'holdout'" in KIND.errors(
        tmp_path, "products:\n" + twice
    )


def test_more_rules_than_can_be_told_apart(tmp_path: Path) -> None:
    many = "".join(f"  - {{rule: exclude, name: n{n}, when: hidden}}\n" for n in range(65))
    assert "1: products: expected at most 64 entries, found a list" in KIND.errors(
        tmp_path, "products:\n" + many
    )


def test_a_release_says_by_which_rules_it_is_made(tmp_path: Path) -> None:
    settings = load_settings().model_copy(update={"rules_dir": tmp_path})
    KIND.load(tmp_path, GOOD)
    before = code_version(settings)
    KIND.load(tmp_path, GOOD.replace("1.2", "1.3"))
    assert code_version(settings) != before


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rules", "validate", *map(str, arguments)])


def test_the_command_lists_the_rules_as_they_are_looked_at(tmp_path: Path) -> None:
    KIND.load(tmp_path, GOOD)
    result = _run("--rules", tmp_path, "--json")
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert listed["errors"] == []
    assert [(rule["kind"], rule["rule"]) for rule in listed["rules"]] == [
        ("products", "boost summer x1.2"),
        ("products", "pin gift at 1"),
        ("products", "at most mixed 3 per category"),
        ("campaigns", "holdout control 0.05"),
        ("campaigns", "exclude over"),
    ]
    assert [rule["looked_at_again_when_served"] for rule in listed["rules"]] == [False] * 4 + [True]
    assert "boost summer x1.2" in _run("--rules", tmp_path).stdout


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_command_tells_every_error(tmp_path: Path, option: list[str]) -> None:
    wrong = GOOD.replace("factor: 1.2", "factor: lots").replace("share: 0.05", "share: 5")
    (tmp_path / "recommendations.yaml").write_text(wrong, encoding="utf-8")
    result = _run("--rules", tmp_path, *option)
    assert result.exit_code == 1
    assert "recommendations.yaml:4: products.0.factor: expected a number" in result.stdout
    assert "recommendations.yaml:12: campaigns.1.share: expected" in result.stdout
    assert "Traceback" not in result.output
