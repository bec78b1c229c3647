"""Another encoder: its release is its own, the one before still serves, nothing waits for a provider."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import numpy as np
import pytest
from fastapi.testclient import TestClient

from marketing_platform.definitions import build_definitions
from marketing_platform.encoders import EmbeddingCache
from marketing_platform.encoders.messages import TEXTS
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.encoders.stand_in import StandIn, error, slow, standing_in

pytestmark = pytest.mark.long

DIM = 256


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in() as stand_in:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("MARKETING_ENCODER_BASE_URL", f"{stand_in.url}/v1")
        monkeypatch.setenv("MARKETING_ENCODER_LIVE_SECONDS", "0.5")
        yield stand_in


@pytest.fixture
def switched(installation: Installation, provider: StandIn) -> Installation:
    """The installation that ran once with MiniLM, told to use the provider."""
    chosen = {"encoder": "openai", "encoder_model": "tiny", "encoder_dimensions": DIM}
    return Installation(installation.settings.model_copy(update=chosen))


def make(settings: Settings, instance: dg.DagsterInstance, *assets: str) -> bool:
    """Materialize just these, with their checks, as a person does in the UI."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(asset) for asset in assets]
    return job.execute_in_process(instance=instance, asset_selection=selection, raise_on_error=False).success


def test_a_switch_encodes_everything_anew(
    installation: Installation, switched: Installation, provider: StandIn
) -> None:
    before = installation.release()
    told = switched.run()
    after = switched.release()
    assert after.previous == before.release_id
    # What messages are about, and so how many interests users have, is the model's to say.
    assert after.totals.model_copy(update={"edges": before.totals.edges}) == before.totals
    made = after.vectors["message_embeddings"]
    assert (made.dim, made.rows) == (DIM, told["vectors"])
    assert made.model == f"openai:{provider.url.removeprefix('http://')}/tiny:{DIM}"
    assert made.name != before.vectors["message_embeddings"].name
    assert ("message_embeddings", "recall", True, True) in {
        (check.asset, check.check, check.passed, check.blocking) for check in after.checks
    }
    texts = len({text for (text,) in installation.query(TEXTS) if text})
    assert sum(len(asked.texts) for asked in provider.asked) == texts

    # The release before is served as it was: its vectors have their own length.
    vectors = open_stores(installation.settings).vectors
    for entry in (before.vectors["message_embeddings"], made):
        reader = vectors.open(entry.name)
        assert len(reader.search(np.ones((1, entry.dim), np.float32), limit=3)[0]) == 3
        reader.close()

    # What was encoded is not paid for again, whichever way somebody goes.
    asked = len(provider.asked)
    installation.run()
    switched.run()
    assert len(provider.asked) == asked


def test_a_provider_that_fails_half_way_costs_only_the_rest(
    switched: Installation, provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_ENCODER_BATCH_TEXTS", "10")
    monkeypatch.setenv("MARKETING_ENCODER_CONCURRENCY", "1")
    before = switched.release().release_id
    provider.failures += [lambda _: None] * 3
    provider.always = error(401, "the key has expired")
    with pytest.raises(Exception, match="401: the key has expired"):
        switched.run()
    assert switched.release().release_id == before
    kept = {text for asked in provider.asked[:3] for text in asked.texts}
    provider.always = None
    provider.asked.clear()
    switched.run()
    assert switched.release().previous == before
    assert not kept & {text for asked in provider.asked for text in asked.texts}


def test_vectors_of_two_models_are_never_mixed(
    installation: Installation, switched: Installation, instance: dg.DagsterInstance
) -> None:
    before = installation.release()
    # The texts are MiniLM's; what is made of them stays so, whatever is set meanwhile.
    assert make(switched.settings, instance, "message_embeddings", "user_vectors", "similar_users")
    metadata = instance.get_latest_materialization_event(dg.AssetKey("message_embeddings"))
    assert metadata is not None
    assert metadata.asset_materialization is not None
    assert (
        metadata.asset_materialization.metadata["model"].value == before.vectors["message_embeddings"].model
    )
    # New texts below old collections: no release.
    assert make(switched.settings, instance, "text_embeddings")
    assert not make(switched.settings, instance, "release")
    assert installation.release() == before


def test_the_live_path_waits_for_no_provider(
    installation: Installation, switched: Installation, provider: StandIn
) -> None:
    switched.run()
    user = switched.query("SELECT user_id FROM users ORDER BY user_id LIMIT 1")[0][0]
    typed = f"/recommendations/{user}?message=is the tent waterproof"

    with switched.api() as client:
        _await_live(client)
        assert client.get(typed).json()["strategy"] == "similar_messages"
        for failure in (slow(20), error(500), error(429, Retry_After="1")):
            provider.failures.append(failure)
            started = time.monotonic()
            answer = client.get(typed)
            assert time.monotonic() - started < 1.5
            assert (answer.status_code, answer.json()["error_code"]) == (503, "encoder_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert client.get(f"/recommendations/{user}").status_code == 200
        time.sleep(1)  # as the provider asked
        assert client.get(typed).status_code == 200

    with installation.api() as client:  # told to use MiniLM, while a release of the provider's serves
        _await_live(client)
        answer = client.get(typed)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "not_ready")


def test_the_cache_tells_models_apart_by_more_than_their_file_names(installation: Installation) -> None:
    folder = installation.settings.data_dir / "embedding_cache"
    hashes = np.zeros((1, 32), np.uint8)
    EmbeddingCache(folder, "openai:host/a:4").append(hashes, np.ones((1, 4), np.float32))
    found, _ = EmbeddingCache(folder, "openai:host_a:4").lookup(hashes, dim=4)
    assert not found.any()


def _await_live(client: TestClient) -> None:
    deadline = time.monotonic() + 30
    while client.get("/api/v1/health").json()["live_path"] == "starting":
        assert time.monotonic() < deadline
        time.sleep(0.05)
