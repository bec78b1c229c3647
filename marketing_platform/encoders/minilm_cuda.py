"""all-MiniLM-L6-v2 on a GPU: sentence-transformers in half precision, from the extra `torch`.

Whether there is a GPU is told without PyTorch, so that nothing imports it where there is none. Tokens and
batches are `minilm.py`'s, so that here too no text is padded.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from marketing_platform.errors import EncoderUnavailable

_PACKAGES = ("sentence_transformers", "torch")
_DEVICES = (Path("/dev/nvidia0"), Path("/dev/dxg"))  # NVIDIA's own driver, and that of Windows below Linux


def cuda_is_there() -> bool:
    """Whether there is a GPU of NVIDIA's, and what is needed to use it."""
    if not any(device.exists() for device in _DEVICES) or not _installed():
        return False
    import torch  # pyright: ignore[reportMissingImports]

    return bool(torch.cuda.is_available())


def _installed() -> bool:
    return all(importlib.util.find_spec(package) for package in _PACKAGES)


class CudaNetwork:
    """Implements `Network` of `minilm.py` for the published weights in `weights`."""

    # Names the arithmetic: raise it with every change that changes vectors.
    version = "fp16-v1"
    workers = 1  # the GPU is shared by no more
    batch_tokens = 65_536

    def __init__(self, weights: Path, *, device: str = "cuda") -> None:
        if not _installed():
            raise EncoderUnavailable(
                "MARKETING_ENCODER_DEVICE=cuda needs PyTorch: install the extra `torch`, or set it to cpu"
            )
        import torch  # pyright: ignore[reportMissingImports]
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]

        if device == "cuda" and not torch.cuda.is_available():
            raise EncoderUnavailable(
                "PyTorch finds no GPU: mend its driver, or set MARKETING_ENCODER_DEVICE=cpu"
            )
        self._device = device
        self._model: Any = SentenceTransformer(
            str(weights), device=device, model_kwargs={"dtype": torch.float16}, local_files_only=True
        )

    def run(self, ids: np.ndarray) -> np.ndarray:
        """Token ids (batch x length int32) to vectors of unit length (batch x 384 float32)."""
        import torch  # pyright: ignore[reportMissingImports]

        with torch.inference_mode():
            tokens = torch.from_numpy(ids.astype(np.int64)).to(self._device)
            found = self._model({"input_ids": tokens, "attention_mask": torch.ones_like(tokens)})
            vectors = found["sentence_embedding"].float()
            # Half precision leaves a vector's length right to three digits only.
            return np.asarray(torch.nn.functional.normalize(vectors).cpu().numpy(), np.float32)
