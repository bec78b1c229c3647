"""The int8 encoder: it means what the original means, takes any text, and stands alone."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.encoders import Encoder, open_encoder
from marketing_platform.recommenders.neighbours import nearest, user_vectors
from marketing_platform_tests.conftest import PROJECT

any_text = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def encoder(models: Path) -> Encoder:
    return open_encoder(models)


def test_vectors_are_those_of_the_original(encoder: Encoder) -> None:
    # reference.json was made by sentence-transformers 6.2 in fp32; the tolerance is what int8 costs.
    reference = json.loads((Path(__file__).parent / "reference.json").read_text(encoding="utf-8"))
    vectors = encoder.encode([entry["text"] for entry in reference])
    cosines = [
        float(vector @ np.array(entry["vector"])) for vector, entry in zip(vectors, reference, strict=True)
    ]
    assert min(cosines) > 0.98
    assert np.mean(cosines) > 0.99


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        any_text | st.sampled_from(["", "  ", "\t\n", "\ud800", "\x00", "مرحبا", "😀" * 300]), max_size=8
    )
)
def test_any_text_gives_a_unit_vector_or_zero_when_blank(encoder: Encoder, texts: list[str]) -> None:
    done: dict[int, np.ndarray] = {}
    vectors = encoder.encode(
        texts, arrived=lambda rows, found: done.update(zip(rows.tolist(), found, strict=True))
    )
    assert vectors.shape == (len(texts), encoder.dim)
    assert vectors.dtype == np.float32
    assert sorted(done) == list(range(len(texts)))
    assert all(np.array_equal(vectors[row], found) for row, found in done.items())
    for text, norm in zip(texts, np.linalg.norm(vectors, axis=1), strict=True):
        assert norm == pytest.approx(1, abs=1e-5) or (norm == 0 and not any(map(str.isalnum, text)))
        assert norm == 0 or text.strip()


def test_a_vector_does_not_depend_on_its_neighbours(encoder: Encoder) -> None:
    texts = [f"where is my order number {number} " + "please " * (number % 7) for number in range(300)]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts[::30]])
    np.testing.assert_allclose(alone, together[::30], atol=1e-5)


def test_texts_are_cut_off_like_the_original(encoder: Encoder) -> None:
    long = "card " * 254
    same, longer, shorter = encoder.encode([long, long + "refund " * 500, "card " * 200])
    np.testing.assert_array_equal(same, longer)
    assert not np.array_equal(same, shorter)


def test_the_model_file_is_built_once_and_whole(encoder: Encoder, models: Path) -> None:
    (built,) = models.iterdir()
    stamp = built.stat().st_mtime_ns
    assert encoder.name in built.name
    open_encoder(models)
    assert [path.stat().st_mtime_ns for path in models.iterdir()] == [stamp]


def test_nothing_here_imports_torch(models: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from marketing_platform.encoders import open_encoder; "
        "assert 'onnxruntime' not in sys.modules; "
        f"open_encoder(Path({str(models)!r})).encode(['hello']); "
        "assert not {'torch', 'transformers', 'pandas', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, timeout=60)


@pytest.mark.slow
def test_similar_users_share_their_intent(encoder: Encoder, shared_data: Path) -> None:
    folder = shared_data / "conversations"
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        sent = [(row["user_id"], row["message"]) for row in csv.DictReader(file) if row["message"].strip()]
    texts = sorted({message for _, message in sent})
    row = {text: position for position, text in enumerate(texts)}
    rows = np.array([row[message] for _, message in sent])
    users, means = user_vectors([user for user, _ in sent], encoder.encode(texts)[rows])
    intent = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["main_intent"]
    intents = np.array([intent[user] for user in users])
    indices = nearest(means, k=10).indices
    assert (intents[indices] == intents[:, None]).mean() >= 0.80
