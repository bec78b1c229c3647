"""From texts to vectors.

The encoder, the ONNX graph behind it and the cache of what was encoded. What vectors are used
for belongs to `recommenders`; where they are searched, to `stores`. Nothing here needs PyTorch.
"""

from __future__ import annotations

from pathlib import Path

from marketing_platform.encoders.cache import EmbeddingCache, EncodeStats, encode_cached
from marketing_platform.encoders.protocol import Encoder

__all__ = ["EmbeddingCache", "EncodeStats", "Encoder", "encode_cached", "open_encoder"]


def open_encoder(models_dir: Path) -> Encoder:
    """The platform's encoder, all-MiniLM-L6-v2 in int8; safe to share between threads.

    The model file is built below `models_dir` the first time, which takes a second or two.
    Raises EncoderUnavailable when the package with the weights is not installed.
    """
    # onnxruntime is loaded when an encoder is opened, not when a module that may need one is.
    from marketing_platform.encoders.minilm import MiniLM

    return MiniLM(models_dir)
