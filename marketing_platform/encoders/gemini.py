"""Gemini's embedding models through Google's official client, which is loaded when one is opened."""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONDecodeError

import httpx2
from pydantic import ValidationError

from marketing_platform.encoders.provider import ProviderBusy, ProviderRefused, failure
from marketing_platform.encoders.provider_settings import ProviderSettings
from marketing_platform.errors import EncoderUnavailable

MODEL = "gemini-embedding-001"
DIMENSIONS = 768
# Messages are compared with messages.
_TASK = "SEMANTIC_SIMILARITY"


class Gemini:
    """Implements `Provider`; threads share its connections."""

    def __init__(self, settings: ProviderSettings, model: str, dimensions: int, *, seconds: float) -> None:
        key = settings.key
        if key is None:
            raise EncoderUnavailable(
                "Gemini needs a key: set MARKETING_ENCODER_API_KEY or MARKETING_ENCODER_API_KEY_FILE"
            )
        try:
            from google import genai
            from google.genai import types
        except ModuleNotFoundError:
            raise EncoderUnavailable(
                "Google's client is not installed: install marketing-platform[encoders]"
            ) from None
        self.where = f"Gemini ({model})"
        self.model = f"gemini:{model}/{_TASK.lower()}"
        self.dimensions = dimensions
        self._model = model
        self._key = key
        self._types = types
        self._config = types.EmbedContentConfig(output_dimensionality=dimensions, task_type=_TASK)
        # An HTTP client of our own: Google's waits for ever.
        client = httpx2.Client(
            timeout=httpx2.Timeout(seconds, connect=min(seconds, settings.connect_seconds)),
            limits=httpx2.Limits(max_connections=settings.concurrency),
            verify=settings.trust,
        )
        options = types.HttpOptions(
            base_url=settings.base_url, timeout=round(seconds * 1000), httpx_client=client
        )
        self._client = genai.Client(api_key=key, vertexai=False, http_options=options)

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `Provider.embed`."""
        from google.genai.errors import APIError, UnknownApiResponseError

        # A content each: newer models make one vector of a plain list of texts.
        contents = [self._types.Content(parts=[self._types.Part(text=text)]) for text in texts]
        try:
            answer = self._client.models.embed_content(
                model=self._model,
                contents=contents,  # pyright: ignore[reportArgumentType] -- invariant list
                config=self._config,
            )
        except httpx2.TransportError as error:
            raise ProviderBusy(f"no answer ({type(error).__name__})") from None
        except APIError as error:
            headers = getattr(error.response, "headers", None) or {}
            raise failure(
                error.code, error.message or "", headers.get("Retry-After"), key=self._key
            ) from None
        except (UnknownApiResponseError, JSONDecodeError, ValidationError):
            raise ProviderBusy("its answer is cut off or no JSON") from None
        vectors = [list(embedding.values or ()) for embedding in answer.embeddings or ()]
        if len(vectors) != len(texts):
            raise ProviderRefused(f"it was given {len(texts)} texts and answered with {len(vectors)} vectors")
        return vectors
