"""Encoders behind an API, through their real clients: right answers, failures, limits, deadlines, secrets."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marketing_platform.encoders import EmbeddingCache, configured_encoder, encode_cached
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.settings import Settings
from marketing_platform_tests.encoders.conftest import KEY, Opened
from marketing_platform_tests.encoders.stand_in import (
    Asked,
    Failure,
    Reply,
    StandIn,
    error,
    right,
    slow,
    vector,
)

TEXTS = [f"where is my order number {number}" for number in range(10)]


def expected(texts: list[str], dimensions: int = 16) -> np.ndarray:
    rows = np.array([vector(text, dimensions) for text in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_vectors_come_in_order_at_unit_length(opened: Opened, provider: StandIn) -> None:
    encoder = opened(batch_texts=3)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(TEXTS), atol=1e-6)
    assert sorted(len(asked.texts) for asked in provider.asked) == [1, 3, 3, 3]
    assert all(KEY in (asked.authorization or "") for asked in provider.asked)
    assert encoder.name.endswith(":16")
    assert "tiny" in encoder.name


def test_texts_that_say_nothing_cost_nothing(opened: Opened, provider: StandIn) -> None:
    encoder = opened()
    found = encoder.encode(["", " \t", "\x01\x02", "half \ud800 pair", "😀"])
    assert not found[:3].any()
    np.testing.assert_allclose(np.linalg.norm(found[3:], axis=1), 1, atol=1e-6)
    assert [asked.texts for asked in provider.asked] == [["half ? pair", "😀"]]
    assert encoder.encode(["", "  "]).shape == (2, 16)
    assert encoder.encode([]).shape == (0, 16)
    assert len(provider.asked) == 1


def test_batches_are_bounded_by_bytes_and_texts_cut_off(opened: Opened, provider: StandIn) -> None:
    opened(batch_bytes=1000, concurrency=1).encode(["ä" * 400, "b" * 400, "c" * 9_000, "d" * 500, "e" * 500])
    assert [[len(text) for text in asked.texts] for asked in provider.asked] == [
        [400],
        [400],
        [6000],
        [500, 500],
    ]


@pytest.mark.slow
def test_what_may_pass_is_tried_again(opened: Opened, provider: StandIn) -> None:
    cut_off: Failure = lambda asked: Reply(200, right(asked, [[1.0]]).body[:-5])  # noqa: E731
    provider.failures += [error(500), error(503), cut_off, error(429)]
    found = opened(concurrency=1).encode(TEXTS[:2])
    np.testing.assert_allclose(found, expected(TEXTS[:2]), atol=1e-6)
    assert len(provider.asked) == 5


def test_everybody_waits_as_long_as_the_provider_asks(opened: Opened, provider: StandIn) -> None:
    provider.failures.append(error(429, Retry_After="1"))
    opened(concurrency=1, batch_texts=5).encode(TEXTS)
    assert len(provider.asked) == 3
    assert provider.asked[1].at - provider.asked[0].at > 0.9


def test_a_wait_longer_than_allowed_is_given_up(opened: Opened, provider: StandIn) -> None:
    provider.always = error(429, "quota of the day is used up", Retry_After="3600")
    with pytest.raises(EncoderUnavailable, match="429: quota of the day"):
        opened(longest_wait_seconds=5).encode(TEXTS)
    assert len(provider.asked) == 1


def replaced(change: Callable[[list[list[float]]], object]) -> Failure:
    """An answer whose vectors are changed."""

    def reply(asked: Asked) -> Reply:
        vectors = [vector(text, asked.dimensions) for text in asked.texts]
        change(vectors)
        return right(asked, vectors)

    return reply


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (replaced(lambda vectors: vectors.pop()), "given 10 texts and answered with 9"),
        (replaced(lambda vectors: [one.pop() for one in vectors]), "15 numbers, not 16.*ENCODER_DIMENSIONS"),
        (replaced(lambda vectors: vectors[3].pop()), "15, 16 numbers"),
        (replaced(lambda vectors: vectors[3].__setitem__(2, float("nan"))), "not finite"),
        (replaced(lambda vectors: vectors[3].__setitem__(2, float("inf"))), "not finite"),
        (replaced(lambda vectors: vectors.__setitem__(3, [0.0] * 16)), "zero"),
        (error(400, "no such model"), "400: no such model"),
        (error(401, f"wrong key {KEY}"), "401: wrong key •••"),
    ],
    ids=["short", "dimension", "ragged", "nan", "inf", "zero", "model", "key"],
)
def test_a_wrong_answer_is_refused_at_once(
    opened: Opened, provider: StandIn, failure: Failure, said: str
) -> None:
    provider.always = failure
    with pytest.raises(EncoderUnavailable, match=said):
        opened().encode(TEXTS)
    assert len(provider.asked) == 1


def test_no_key_in_errors_logs_or_names(
    opened: Opened, provider: StandIn, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.failures.append(error(503, f"busy {KEY}"))
    provider.always = error(403, f"{KEY} may not")
    encoder = opened()
    with pytest.raises(EncoderUnavailable) as raised:
        encoder.encode(TEXTS)
    links: list[BaseException] = []
    link: BaseException | None = raised.value
    while link is not None:
        links.append(link)
        link = link.__cause__ or link.__context__
    shown = (
        "".join(map(str, links)) + caplog.text + encoder.name + repr(encoder) + "".join(capsys.readouterr())
    )
    assert KEY not in shown


def test_nobody_there_is_said_with_a_remedy(opened: Opened, provider: StandIn) -> None:
    with pytest.raises(EncoderUnavailable, match=r"failed: no answer \(ConnectError\).*MARKETING_ENCODER_"):
        opened(base_url="http://127.0.0.1:9", max_retries=1).encode(TEXTS)


@pytest.mark.slow
def test_a_silent_provider_is_waited_for_until_the_deadline(opened: Opened, provider: StandIn) -> None:
    provider.always = slow(30)
    started = time.monotonic()
    with pytest.raises(EncoderUnavailable, match="no answer"):
        opened(answer_seconds=0.3, max_retries=1).encode(TEXTS)
    assert time.monotonic() - started < 5


def test_a_live_call_has_one_attempt_and_one_deadline(opened: Opened, provider: StandIn) -> None:
    encoder = opened(live=True, live_seconds=0.4)
    provider.failures.append(slow(30))
    started = time.monotonic()
    with pytest.raises(EncoderUnavailable):
        encoder.encode(["hello"])
    assert time.monotonic() - started < 1.5
    provider.failures.append(error(500))
    with pytest.raises(EncoderUnavailable, match="500"):
        encoder.encode(["hello"])
    assert len(provider.asked) == 2
    np.testing.assert_allclose(encoder.encode(["hello"]), expected(["hello"]), atol=1e-6)


def test_no_more_requests_a_minute_than_allowed(opened: Opened, provider: StandIn) -> None:
    encoder = opened(live=True, requests_per_minute=2, live_seconds=0.5)
    for _ in range(2):
        encoder.encode(["hello"])
    with pytest.raises(EncoderUnavailable, match=r"within 0\.5 s"):
        encoder.encode(["hello"])
    assert len(provider.asked) == 2


def test_what_was_encoded_before_a_failure_is_kept(opened: Opened, provider: StandIn, tmp_path: Path) -> None:
    encoder = opened(batch_texts=2, concurrency=1)
    cache = EmbeddingCache(tmp_path, encoder.name)
    provider.failures += [lambda _: None, lambda _: None]
    provider.always = error(400)
    with pytest.raises(EncoderUnavailable):
        encode_cached(encoder, cache, TEXTS)
    provider.always = None
    vectors, stats = encode_cached(encoder, cache, TEXTS)
    assert (stats.cached, stats.encoded) == (4, 6)
    np.testing.assert_allclose(vectors, expected(TEXTS), atol=1e-6)


def test_gemini_is_asked_for_768_numbers(provider: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETING_ENCODER_BASE_URL", provider.url)
    encoder = configured_encoder(Settings(encoder="gemini"))
    assert encoder.encode(["hello", "you"]).shape == (2, 768)
    assert provider.asked[0].path.endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert provider.asked[0].body["requests"][0]["taskType"] == "SEMANTIC_SIMILARITY"


def test_an_endpoint_may_have_a_dimension_of_its_own(
    provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_ENCODER_BASE_URL", provider.url + "/v1/")
    encoder = configured_encoder(Settings(encoder="openai", encoder_model="tiny"))
    assert not provider.asked, "opening asks nobody"
    assert encoder.dim == 24
    assert encoder.encode(["hello"]).shape == (1, 24)
    assert "dimensions" not in json.dumps(provider.asked[-1].body)


def test_what_has_to_be_set_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETING_ENCODER_API_KEY", raising=False)
    with pytest.raises(EncoderUnavailable, match="MARKETING_ENCODER_API_KEY_FILE"):
        configured_encoder(Settings(encoder="gemini"))
    with pytest.raises(EncoderUnavailable, match="MARKETING_ENCODER_MODEL"):
        configured_encoder(Settings(encoder="openai"))


def test_the_key_may_lie_in_a_file(
    opened: Opened, provider: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARKETING_ENCODER_API_KEY")
    (tmp_path / "key").write_text("from-a-file\n")
    opened(api_key_file=tmp_path / "key").encode(["hello"])
    assert "from-a-file" in (provider.asked[0].authorization or "")
