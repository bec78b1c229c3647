"""The encoder on a GPU: what sentence-transformers says in fp32, and what is told where there is none."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marketing_platform.encoders import configured_encoder, minilm_cuda, open_encoder
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.settings import Settings
from marketing_platform_tests.conftest import PROJECT

WITH_CUDA = minilm_cuda.cuda_is_there()


@pytest.mark.skipif(not WITH_CUDA, reason="needs a GPU and the extra `torch`")
def test_vectors_are_those_of_fp32(tmp_path: Path, shared_data: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from marketing_platform.encoders.minilm import weights_dir

    with (shared_data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        texts = [row[0] for row in list(csv.reader(file))[1:2_001]]
    encoder = open_encoder(tmp_path, device="cuda")
    expected = SentenceTransformer(str(weights_dir()), device="cuda").encode(texts)
    cosines = (encoder.encode(texts) * expected).sum(axis=1)
    assert cosines.min() >= 0.999
    assert encoder.name == "all-MiniLM-L6-v2-fp16-v1"


@pytest.mark.skipif(not WITH_CUDA, reason="needs a GPU and the extra `torch`")
def test_blank_texts_have_no_vector_on_a_gpu_either(tmp_path: Path) -> None:
    vectors = open_encoder(tmp_path, device="cuda").encode(["", "hello", "\ud800", " "])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1)[[0, 1, 3]], [0, 1, 0], atol=1e-5)


@pytest.mark.skipif(WITH_CUDA, reason="needs a machine without a GPU")
def test_without_a_gpu_the_cores_encode_and_nothing_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from marketing_platform.encoders import open_encoder; "
        f"print(open_encoder(Path({str(tmp_path)!r}), device='auto').name); "
        "assert not {'torch', 'sentence_transformers'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=PROJECT, timeout=60, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.strip() == "all-MiniLM-L6-v2-int8-v1"


@pytest.mark.skipif(
    bool(importlib.util.find_spec("torch")), reason="needs an installation without the extra `torch`"
)
def test_a_gpu_that_cannot_be_used_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"extra `torch`.*cpu"):
        configured_encoder(Settings(data_dir=tmp_path, encoder_device="cuda"))


def test_who_wants_the_cores_gets_them(tmp_path: Path) -> None:
    encoder = configured_encoder(Settings(data_dir=tmp_path, encoder_device="cpu"))
    assert encoder.name == "all-MiniLM-L6-v2-int8-v1"
