"""From texts to vectors.

The encoder that runs here and the ONNX graph behind it, those behind an API, and the cache of what
was encoded. Clients of model providers are imported nowhere else. What vectors are used
for belongs to `recommenders`; where they are searched, to `stores`. Nothing here needs PyTorch.
"""

from __future__ import annotations

from pathlib import Path

from marketing_platform.encoders.cache import EmbeddingCache, EncodeStats, encode_cached
from marketing_platform.encoders.protocol import Encoder
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.settings import Settings

__all__ = ["EmbeddingCache", "EncodeStats", "Encoder", "configured_encoder", "encode_cached", "open_encoder"]


def configured_encoder(settings: Settings, *, live: bool = False) -> Encoder:
    """The encoder that the settings name; `live` for an answer that somebody waits for.

    One behind an API is not contacted before its first use. Raises EncoderUnavailable when it cannot
    be opened for want of weights, a package, a model's name or a key, StoreUnavailable when a
    MARKETING_ENCODER_ variable is wrong.
    """
    if settings.encoder == "minilm":
        return open_encoder(settings.data_dir / "models")
    # Clients of providers need not be installed where the encoder runs in this process.
    from marketing_platform.encoders.provider_settings import ProviderSettings
    from marketing_platform.encoders.remote import RemoteEncoder
    from marketing_platform.stores.registry import from_environment

    provider = from_environment(ProviderSettings)
    seconds = min(provider.answer_seconds, provider.live_seconds) if live else provider.answer_seconds
    model, dimensions = settings.encoder_model, settings.encoder_dimensions
    if settings.encoder == "gemini":
        from marketing_platform.encoders import gemini

        named = model or gemini.MODEL
        asked = gemini.Gemini(provider, named, dimensions or gemini.DIMENSIONS, seconds=seconds)
        return RemoteEncoder(asked, provider, live=live)
    if model is None:
        raise EncoderUnavailable("an OpenAI-compatible endpoint has many models: set MARKETING_ENCODER_MODEL")
    from marketing_platform.encoders.openai_compatible import OpenAICompatible

    endpoint = OpenAICompatible(provider, model, dimensions, seconds=seconds)
    return RemoteEncoder(endpoint, provider, live=live)


def open_encoder(models_dir: Path, *, workers: int | None = None) -> Encoder:
    """The encoder that needs nobody else, all-MiniLM-L6-v2 in int8; safe to share between threads.

    The model file is built below `models_dir` the first time, which takes a second or two. It encodes on
    so many cores; on all of them unless given.
    Raises EncoderUnavailable when the package with the weights is not installed.
    """
    # onnxruntime is loaded when an encoder is opened, not when a module that may need one is.
    from marketing_platform.encoders.minilm import MiniLM

    return MiniLM(models_dir, workers=workers)
