"""Products and campaigns on the real jobs: tuned, judged, held when they got worse, answered for all."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import orjson
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.assets.product_lists import PRODUCT_LISTS
from marketing_platform.defs.io_managers import latest_metadata, latest_name
from marketing_platform.recommenders.answers import ProductRecommendationsAnswer, RankedCampaignsAnswer
from marketing_platform.recommenders.item_kinds import CAMPAIGNS, PRODUCTS, ItemKind
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long

FIGURE = "product_evaluation.discovery_ndcg_at_10"
_JUDGED = ("product_evaluation", "product_recommendations", *PRODUCT_LISTS, "release")
# What a shared path of an answer and the tables call the same.
_HOLDS = {
    ("User", "PURCHASED", "Product"): "SELECT user_id, product_id FROM purchases",
    ("User", "INTERESTED_IN", "Interest"): "SELECT user_id, interest FROM interests",
    ("User", "PARTICIPATED_IN", "Campaign"): "SELECT user_id, campaign_id FROM user_campaign_engagement",
    ("Campaign", "PROMOTES", "Category"): "SELECT campaign_id, category FROM campaigns",
    ("Category", "BELONGS_TO", "Product"): "SELECT category, product_id FROM products",
    ("Category", "PROMOTES", "Campaign"): "SELECT category, campaign_id FROM campaigns",
}
_BY_KIND = pytest.mark.parametrize("kind", [PRODUCTS, CAMPAIGNS], ids=lambda kind: kind.name)
_ANSWERS = {PRODUCTS.name: ProductRecommendationsAnswer, CAMPAIGNS.name: RankedCampaignsAnswer}


def answers(installation: Installation, kind: ItemKind) -> list[Any]:
    """What the release that serves answers, as the API documents it."""
    reader = open_stores(installation.settings).answers.open(
        installation.release().answers[f"{kind.words.noun}_recommendations"].name
    )
    users = [row[0] for row in installation.query("SELECT user_id FROM users ORDER BY user_id")]
    found = [reader.get(user) for user in users]
    reader.close()
    assert all(found), "every user has an answer"
    return [_document(kind, StoredList.read(answer or b"")) for answer in found]


def _document(kind: ItemKind, stored: StoredList) -> Any:
    items = [orjson.loads(item) for item in stored.items]
    return _ANSWERS[kind.name].model_validate_json(orjson.dumps({**stored.head, "items": items}))


def materialize(
    installation: Installation, instance: dg.DagsterInstance, *assets: str
) -> dg.ExecuteInProcessResult:
    """As a person does in the UI."""
    job = build_definitions(installation.settings).resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(asset) for asset in assets]
    return job.execute_in_process(instance=instance, asset_selection=selection, raise_on_error=False)


def serve_with(installation: Installation, figures: dict[str, float]) -> Manifest:
    """As if the release that serves had been measured so."""
    before = installation.release()
    shelf = installation.shelf
    name = shelf.next_release_id(before.created_at)
    made = before.model_copy(update={"release_id": name, "previous": before.release_id, "figures": figures})
    shelf.publish(made, expected=before.release_id)
    return made


def test_a_release_carries_the_figure_and_the_next_of_the_same_data_passes(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    before = installation.release()
    assert 0 < before.figures[FIGURE] <= 1
    assert ("product_evaluation", "quality", True, True) in {
        (check.asset, check.check, check.passed, check.blocking) for check in before.checks
    }
    assert materialize(installation, instance, *_JUDGED).success
    after = installation.release()
    assert after.previous == before.release_id
    assert after.figures == before.figures
    metadata = latest_metadata(instance, "product_evaluation")
    assert "| hybrid |" in str(metadata["comparison"].value)
    assert "data:image/png" in str(metadata["ndcg"].value)


def test_a_fall_holds_the_release(installation: Installation, instance: dg.DagsterInstance) -> None:
    better = serve_with(installation, {FIGURE: 0.99})
    run = materialize(installation, instance, *_JUDGED)
    assert not run.success
    (check,) = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("quality", False)
    assert "0.99" in str(check.metadata["expected"].value)
    assert not run.asset_materializations_for_node("product_recommendations")
    assert installation.shelf.current() == better.release_id


def test_a_release_from_before_there_were_figures_is_no_bar(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    serve_with(installation, {})
    assert materialize(installation, instance, *_JUDGED).success
    old = installation.release().model_dump(mode="json")
    del old["figures"]
    assert Manifest.model_validate(old).figures == {}


@_BY_KIND
def test_every_answer_explains_itself_by_what_the_tables_hold(
    installation: Installation, kind: ItemKind
) -> None:
    holds = {step: set(installation.query(sql)) for step, sql in _HOLDS.items()}
    seen: set[tuple[str, str, str]] = set()
    for answer in answers(installation, kind):
        for item in answer.items:
            assert sum(part.share for part in item.contributions) == pytest.approx(1, abs=1e-5)
            assert item.path[-1].id == getattr(item, kind.id_column)
            assert item.reason.endswith(".")
            for start, relation, end in zip(item.path[::2], item.path[1::2], item.path[2::2], strict=False):
                step = (start.label, relation.label, end.label)
                seen.add(step)
                assert step not in holds or (start.id, end.id) in holds[step], (answer.user_id, item)
    assert seen & holds.keys()


def test_rules_of_products_hold_for_every_list(installation: Installation) -> None:
    opted_out = {
        user for (user,) in installation.query("SELECT user_id FROM users WHERE NOT marketing_consent")
    }
    sold_out = {
        product for (product,) in installation.query("SELECT product_id FROM products WHERE NOT in_stock")
    }
    net = "GROUP BY user_id, product_id HAVING sum(quantity) > 0"
    kept = set(installation.query(f"SELECT user_id, product_id FROM purchases {net}"))
    found = answers(installation, PRODUCTS)
    assert {answer.user_id for answer in found if not answer.items} == opted_out
    for answer in found:
        shown = [item.product_id for item in answer.items]
        assert not sold_out & set(shown)
        assert not [product for product in shown if (answer.user_id, product) in kept]
        assert len(set(shown)) == len(shown)


def test_rules_of_campaigns_hold_for_every_list(installation: Installation) -> None:
    rows = installation.query("SELECT campaign_id, category, objective, ends_on FROM campaigns")
    today = datetime.now(UTC).date()
    over = {campaign for campaign, _, _, ends_on in rows if ends_on is not None and ends_on < today}
    support = {campaign for campaign, _, objective, _ in rows if objective == "support"}
    category = {campaign: category for campaign, category, _, _ in rows}
    assert over
    assert support
    for answer in answers(installation, CAMPAIGNS):
        shown = [item.campaign_id for item in answer.items]
        assert not (over | support) & set(shown)
        assert max(Counter(category[campaign] for campaign in shown).values(), default=0) <= 2


@_BY_KIND
def test_the_api_answers_from_that_release(installation: Installation, kind: ItemKind) -> None:
    user = next(answer for answer in answers(installation, kind) if answer.items).user_id
    question = f"/api/v1/users/{user}/recommendations?kind={kind.words.noun}&limit=3"
    (answer, brief) = installation.answers(question, f"{question}&explain=false")
    assert answer["release_id"] == installation.release().release_id
    assert len(answer["items"]) == 3
    assert [item["reason"] for item in brief["items"]] == [item["reason"] for item in answer["items"]]
    assert not any(item["path"] for item in brief["items"])


def evaluation(instance: dg.DagsterInstance) -> tuple[str, Any, Any]:
    """The name of the latest, what it took, and what was found."""
    metadata = latest_metadata(instance, "campaign_evaluation")
    return latest_name(instance, "campaign_evaluation"), metadata["seconds"].value, metadata["report"].value


def test_what_changes_nothing_for_a_kind_costs_no_evaluation(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    name, seconds, found = evaluation(instance)
    shown = latest_metadata(instance, "campaign_evaluation")["comparison"]
    for table in ("purchases", "users", "campaigns"):  # made anew, and the same
        assert materialize(installation, instance, table).success
    assert materialize(installation, instance, "campaign_evaluation").success
    again, its_seconds, its_found = evaluation(instance)
    assert (again, its_seconds, its_found) == (name, seconds, found)
    assert "reused_from" in latest_metadata(instance, "campaign_evaluation")
    assert latest_metadata(instance, "campaign_evaluation")["comparison"] == shown
    stored = open_stores(installation.settings).reports.read(again)
    assert stored == found


def test_evaluations_use_the_latest_tuning(installation: Installation, instance: dg.DagsterInstance) -> None:
    tuned = Installation(installation.settings.model_copy(update={"tuning_seconds": 0.5}))
    name, _, _ = evaluation(instance)
    assert latest_metadata(instance, "campaign_evaluation")["tuned_by"].value == ""
    assert materialize(tuned, instance, "campaign_tuning").success
    metadata = latest_metadata(instance, "campaign_tuning")
    assert "| hybrid |" in str(metadata["comparison"].value)
    assert "data:image/png" in str(metadata["history"].value)
    parameters: Any = metadata["parameters"].value
    assert latest_name(instance, "campaign_evaluation") == name, "tuning alone changes nothing"

    follows = ("campaign_evaluation", "campaign_recommendations", "release")
    assert materialize(tuned, instance, *follows).success
    found = evaluation(instance)[2]
    for family, chosen in parameters.items():
        assert {key: found["families"][family][key] for key in chosen} == chosen
    tuned_by = latest_metadata(instance, "campaign_evaluation")["tuned_by"].value
    assert tuned_by == latest_name(instance, "campaign_tuning")
    served = tuned.release().reports["campaign_evaluation"].name
    assert open_stores(tuned.settings).reports.read(served)["families"] == found["families"]


def test_what_was_never_tuned_follows_its_tables(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    definitions = build_definitions(installation.settings)
    before = dg.evaluate_automation_conditions(defs=definitions, instance=instance)
    assert materialize(installation, instance, "interests").success
    after = dg.evaluate_automation_conditions(defs=definitions, instance=instance, cursor=before.cursor)
    asked = {
        kind: after.get_num_requested(dg.AssetKey(f"{kind}_evaluation")) for kind in ("product", "campaign")
    }
    assert asked == {"product": 1, "campaign": 1}
    assert after.get_num_requested(dg.AssetKey("campaign_tuning")) == 0
