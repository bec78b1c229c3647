"""The platform's encoder against plain `SentenceTransformer.encode`, side by side on one machine.

`compare` is what the pipeline benchmark calls; `python benchmarks/embedding.py TEXTS.csv` runs it
alone on the first column of a CSV. The plain encoder needs PyTorch, which the platform does without, so it
runs in an interpreter of its own that has sentence-transformers (`--reference-python`).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from marketing_platform.encoders import Encoder, open_encoder
from marketing_platform.encoders.minilm import weights_dir

# Reads texts.json, writes reference.npy, prints the texts per second. Runs without this project.
_REFERENCE = """
import json, sys, time
import numpy as np
from sentence_transformers import SentenceTransformer
folder, weights = sys.argv[1:]
texts = json.load(open(folder + "/texts.json", encoding="utf-8"))
model = SentenceTransformer(weights, device="cpu")
model.encode(texts[:64])
started = time.perf_counter()
vectors = model.encode(texts, show_progress_bar=False)
print(len(texts) / (time.perf_counter() - started))
np.save(folder + "/reference.npy", vectors)
"""


@dataclass(frozen=True)
class EmbeddingFigures:
    """What was measured; texts per second are the best of the rounds for either side."""

    embed_texts: int
    embed_texts_per_s: float
    embed_reference_texts_per_s: float
    embed_speedup: float
    embed_cosine: float
    embed_cosine_min: float


def compare(
    texts: Sequence[str], models_dir: Path, *, reference_python: str, rounds: int = 2
) -> EmbeddingFigures:
    """Encode the same texts with both, taking turns so that a busy machine slows both."""
    encoder = open_encoder(models_dir)
    encoder.encode(texts[:64])
    ours: list[float] = []
    reference: list[float] = []
    cosines = np.zeros(0)
    for _ in range(rounds):
        vectors, speed = encode_timed(encoder, texts)
        expected, reference_speed = encode_reference(texts, reference_python)
        ours.append(speed)
        reference.append(reference_speed)
        cosines = (vectors * expected).sum(axis=1)
    return EmbeddingFigures(
        embed_texts=len(texts),
        embed_texts_per_s=round(max(ours), 1),
        embed_reference_texts_per_s=round(max(reference), 1),
        embed_speedup=round(max(ours) / max(reference), 2),
        embed_cosine=round(float(cosines.mean()), 5),
        embed_cosine_min=round(float(cosines.min()), 5),
    )


def encode_timed(encoder: Encoder, texts: Sequence[str]) -> tuple[np.ndarray, float]:
    """Vectors, and texts per second."""
    started = time.perf_counter()
    vectors = encoder.encode(texts)
    return vectors, len(texts) / (time.perf_counter() - started)


def encode_reference(texts: Sequence[str], python: str) -> tuple[np.ndarray, float]:
    """The same from `SentenceTransformer.encode` in fp32, in the given interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(list(texts)), encoding="utf-8")
        done = subprocess.run(
            [python, "-c", _REFERENCE, folder, str(weights_dir())],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        return np.load(Path(folder) / "reference.npy"), float(done.stdout.split()[-1])


def main() -> None:
    """Compare on the texts of a file and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, help="CSV whose first column holds the texts, below a header")
    parser.add_argument("--limit", type=int, default=4000)
    parser.add_argument("--models-dir", type=Path, default=Path(".data/models"))
    parser.add_argument("--reference-python", default=sys.executable)
    given = parser.parse_args()
    with given.texts.open(encoding="utf-8", newline="") as file:
        texts = [row[0] for row in list(csv.reader(file))[1 : given.limit + 1]]
    figures = compare(texts, given.models_dir, reference_python=given.reference_python)
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
