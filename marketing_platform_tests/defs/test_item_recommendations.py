"""Products on the real jobs: judged, held when they got worse, answered for every user."""

from __future__ import annotations

import dagster as dg
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.io_managers import latest_metadata
from marketing_platform.recommenders.answers import ProductRecommendationsAnswer
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation

FIGURE = "product_evaluation.discovery_ndcg_at_10"
# What a shared path of an answer and the tables call the same.
_HOLDS = {
    ("User", "PURCHASED", "Product"): "SELECT user_id, product_id FROM purchases",
    ("User", "INTERESTED_IN", "Interest"): "SELECT user_id, interest FROM interests",
    ("User", "PARTICIPATED_IN", "Campaign"): "SELECT user_id, campaign_id FROM user_campaign_engagement",
    ("Campaign", "PROMOTES", "Category"): "SELECT campaign_id, category FROM campaigns",
    ("Category", "BELONGS_TO", "Product"): "SELECT category, product_id FROM products",
}


def answers(installation: Installation) -> list[ProductRecommendationsAnswer]:
    """What the release that serves answers, as the API documents it."""
    reader = open_stores(installation.settings).answers.open(
        installation.release().answers["product_recommendations"].name
    )
    users = [row[0] for row in installation.query("SELECT user_id FROM users ORDER BY user_id")]
    found = [reader.get(user) for user in users]
    reader.close()
    assert all(found), "every user has an answer"
    return [ProductRecommendationsAnswer.model_validate_json(answer or b"") for answer in found]


def publish(installation: Installation, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Judge again, and what follows from it, as a person does in the UI."""
    job = build_definitions(installation.settings).resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(asset) for asset in ("product_evaluation", "product_recommendations", "release")]
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
    assert publish(installation, instance).success
    after = installation.release()
    assert after.previous == before.release_id
    assert after.figures == before.figures
    metadata = latest_metadata(instance, "product_evaluation")
    assert "| hybrid |" in str(metadata["comparison"].value)
    assert "data:image/png" in str(metadata["ndcg"].value)


def test_a_fall_holds_the_release(installation: Installation, instance: dg.DagsterInstance) -> None:
    better = serve_with(installation, {FIGURE: 0.99})
    run = publish(installation, instance)
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
    assert publish(installation, instance).success
    old = installation.release().model_dump(mode="json")
    del old["figures"]
    assert Manifest.model_validate(old).figures == {}


def test_every_answer_explains_itself_by_what_the_tables_hold(installation: Installation) -> None:
    holds = {step: set(installation.query(sql)) for step, sql in _HOLDS.items()}
    seen: set[tuple[str, str, str]] = set()
    for answer in answers(installation):
        for item in answer.items:
            assert sum(part.share for part in item.contributions) == pytest.approx(1, abs=1e-5)
            assert item.path[-1].id == item.product_id
            assert item.reason.endswith(".")
            for start, relation, end in zip(item.path[::2], item.path[1::2], item.path[2::2], strict=False):
                step = (start.label, relation.label, end.label)
                seen.add(step)
                assert step not in holds or (start.id, end.id) in holds[step], (answer.user_id, item)
    assert seen & holds.keys()


def test_rules_hold_for_every_list(installation: Installation) -> None:
    opted_out = {
        user for (user,) in installation.query("SELECT user_id FROM users WHERE NOT marketing_consent")
    }
    sold_out = {
        product for (product,) in installation.query("SELECT product_id FROM products WHERE NOT in_stock")
    }
    net = "GROUP BY user_id, product_id HAVING sum(quantity) > 0"
    kept = set(installation.query(f"SELECT user_id, product_id FROM purchases {net}"))
    found = answers(installation)
    assert {answer.user_id for answer in found if not answer.items} == opted_out
    for answer in found:
        shown = [item.product_id for item in answer.items]
        assert not sold_out & set(shown)
        assert not [product for product in shown if (answer.user_id, product) in kept]
        assert len(set(shown)) == len(shown)


def test_the_api_answers_from_that_release(installation: Installation) -> None:
    user = next(answer for answer in answers(installation) if answer.items).user_id
    (answer, brief) = installation.answers(
        f"/api/v1/users/{user}/recommendations?limit=3",
        f"/api/v1/users/{user}/recommendations?limit=3&explain=false",
    )
    assert answer["release_id"] == installation.release().release_id
    assert len(answer["items"]) == 3
    assert [item["reason"] for item in brief["items"]] == [item["reason"] for item in answer["items"]]
    assert not any(item["path"] for item in brief["items"])
