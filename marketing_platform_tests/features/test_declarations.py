"""`features/*.yaml`: what is accepted, what a wrong one is told, and the commands that show it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from marketing_platform.cli.app import app
from marketing_platform.errors import FeatureError
from marketing_platform.features.loading import load_features
from marketing_platform.features.spec import ENTITIES, Features
from marketing_platform.releases.version import code_version
from marketing_platform.settings import PROJECT_DIR, load_settings
from marketing_platform_tests.declared import DeclarationsContract, Kind

GOOD = """\
features:
  - name: clicks
    description: Clicks on app or web.
    aggregate: count
    from: events
    where: {event_type: click, channel: [app, web]}
    days: 28
  - {name: sum, description: d, aggregate: sum, from: purchases, column: unit_price, times: quantity, unit: x}
  - {name: category, description: d, aggregate: most_frequent, from: purchases, column: products.category}
  - {name: said, description: d, aggregate: centroid, from: events, column: message}
"""


KIND = Kind("users.yaml", load_features, FeatureError)


class TestDeclarations(DeclarationsContract):
    kind = KIND
    good = GOOD
    spoiled = (
        ("features:", "feature:", "1: feature: expected one of features, found 'feature' (did you mean"),
        ("count", "counts", "4: features.0.aggregate: expected one of count, days_since, sum, mean,"),
        ("    from: events\n", "", "2: features.0.from: expected this key, found nothing"),
        (
            "    days: 28",
            "    dais: 28",
            "7: features.0.dais: expected one of name, description, from, where,",
        ),
        ("days: 28", "days: 0", "7: features.0.days: expected a number of at least 1, found 0"),
        ("name: clicks", "name: Clicks!", "2: features.0.name: expected a name of a-z, 0-9 and _"),
        ("name: clicks", "name: sum", "8: features.1.name: expected a name of its own, found 'sum'"),
        ("name: clicks", "name: user_id", "2: features.0.name: expected another name, found 'user_id'"),
        ("name: clicks", "name: at", "2: features.0.name: expected another name, found 'at'"),
        (
            "from: events\n",
            "from: evens\n",
            "5: features.0.from: expected one of events, exposures, feedback, interests, purchases",
        ),
        ("from: events\n", "from: evens\n", "(the tables with user_id and a moment), found 'evens' (did you"),
        (
            "from: events\n",
            "from: ad_spend\n",
            "5: features.0.from: expected one of events, exposures, feedback, interests",
        ),
        ("event_type: click", "kind: click", "6: features.0.where.kind: expected one of event_id, user_id,"),
        (
            "event_type: click",
            "event_type: 7",
            "6: features.0.where.event_type: expected text for event_type",
        ),
        (
            "column: unit_price",
            "column: country",
            "8: features.1.column: expected one of quantity, unit_price,",
        ),
        (
            "times: quantity",
            "times: unit_price",
            "8: features.1.times: expected one of quantity, satisfaction",
        ),
        (", unit: x", "", "8: features.1.unit: expected this key, found nothing"),
        ("products.category", "products.kind", "9: features.2.column: expected one of product_id, name,"),
        (
            "products.category",
            "campaigns.category",
            "9: features.2.column: expected one of products, users (w",
        ),
        ("products.category", "colour", "9: features.2.column: expected one of purchase_id, order_id,"),
        ("column: message", "column: channel", "10: features.3.column: expected events.message of a user,"),
        ("column: message", "column: message, days: 3", "10: features.3.days: expected one of name, descri"),
    )


def test_a_good_file_loads(tmp_path: Path) -> None:
    declared = KIND.load(tmp_path, GOOD)["user"]
    assert [(one.name, str(one.type), one.unit, one.without_moment) for one in declared.declared] == [
        ("clicks", "integer", "events", None),
        ("sum", "money", "x", None),
        ("category", "string", None, "products.category"),
        ("said", "vector", None, None),
    ]
    assert declared.reads == ("users", "events", "purchases", "products")


def test_the_features_of_this_repository_load() -> None:
    declared = load_features(PROJECT_DIR / "features")
    assert all(declared[entity].declared for entity in ENTITIES)


def test_the_examples_of_the_documentation_load(tmp_path: Path) -> None:
    pages = (PROJECT_DIR / "docs" / "features.md").read_text(encoding="utf-8").split("```yaml\n")[1:]
    assert pages
    for page in pages:
        assert KIND.load(tmp_path, page.split("```")[0])["user"].declared


def test_without_files_there_are_no_features(tmp_path: Path) -> None:
    assert load_features(tmp_path) == {entity: Features(entity) for entity in ENTITIES}


def test_features_of_another_entity_need_its_key(tmp_path: Path) -> None:
    found = KIND.errors(tmp_path, GOOD, "products.yaml")
    assert "5: features.0.from: expected one of purchases (the tables with product_id and a moment)" in found
    assert "10: features.3.from: expected one of purchases" in found


def test_a_file_that_nobody_would_read_and_every_wrong_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "campaigns.yaml").write_text("features: 1\n")
    found = KIND.errors(tmp_path, GOOD, "user.yaml")
    assert "1: expected the file to be one of users.yaml, campaigns.yaml, products.yaml, found 'user" in found
    assert "campaigns.yaml:1: features: expected a list, found 1" in found


def test_a_release_says_by_which_features_it_is_made(tmp_path: Path) -> None:
    settings = load_settings().model_copy(update={"features_dir": tmp_path})
    KIND.load(tmp_path, GOOD)
    before = code_version(settings)
    KIND.load(tmp_path, GOOD.replace("28", "30"))
    assert code_version(settings) != before


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["features", *map(str, arguments)])


def test_the_list_for_people_and_for_machines(tmp_path: Path) -> None:
    KIND.load(tmp_path, GOOD)
    listed = json.loads(_run("list", "--features-dir", tmp_path, "--json").stdout)["features"]
    assert [(one["entity"], one["name"], one["type"]) for one in listed][:2] == [
        ("user", "clicks", "integer"),
        ("user", "sum", "money"),
    ]
    assert listed[2]["without_moment"] == "products.category"
    shown = _run("list", "--features-dir", tmp_path, "--entity", "user")
    assert "as of today" in " ".join(shown.stdout.split())
    assert json.loads(_run("list", "--entity", "product", "--features-dir", tmp_path, "--json").stdout) == {
        "features": []
    }


def test_validate_says_whether_the_files_are_right(tmp_path: Path) -> None:
    KIND.load(tmp_path, GOOD)
    right = _run("validate", "--features-dir", tmp_path, "--json")
    assert right.exit_code == 0
    assert json.loads(right.stdout) == {"features": {"user": 4, "campaign": 0, "product": 0}, "errors": []}
    (tmp_path / "users.yaml").write_text(GOOD.replace("count", "counts"), encoding="utf-8")
    wrong = _run("validate", "--features-dir", tmp_path)
    assert wrong.exit_code == 1
    assert "users.yaml:4: features.0.aggregate: expected one of count" in wrong.stdout
    document = json.loads(_run("validate", "--features-dir", tmp_path, "--json").stdout)
    assert len(document["errors"]) == 1
