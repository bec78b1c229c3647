"""Any endpoint that speaks OpenAI's embeddings API: OpenAI itself, vLLM, Ollama, a gateway.

It is one POST, so httpx2 speaks it: OpenAI's own client would retry and log beside `remote.py`, and
asks some endpoints for base64, which not all of them know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2

from marketing_platform.encoders.provider import ProviderBusy, ProviderRefused, failure
from marketing_platform.encoders.provider_settings import ProviderSettings

_OPENAI = "https://api.openai.com/v1"


class OpenAICompatible:
    """Implements `Provider`; threads share its connections."""

    def __init__(
        self, settings: ProviderSettings, model: str, dimensions: int | None, *, seconds: float
    ) -> None:
        base_url = settings.base_url or _OPENAI
        self._key = key = settings.key
        self.where = f"the embeddings endpoint {base_url}"
        # The same name at another host may be another model.
        self.model = f"openai:{httpx2.URL(base_url).netloc.decode()}/{model}"
        self.dimensions = dimensions
        self._asked: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if dimensions is not None:
            self._asked["dimensions"] = dimensions
        self._client = httpx2.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(seconds, connect=min(seconds, settings.connect_seconds)),
            limits=httpx2.Limits(max_connections=settings.concurrency),
            verify=settings.trust,
        )

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `Provider.embed`."""
        try:
            response = self._client.post("embeddings", json={**self._asked, "input": list(texts)})
        except httpx2.TransportError as error:
            raise ProviderBusy(f"no answer ({type(error).__name__})") from None
        if not response.is_success:
            raise failure(
                response.status_code, _said(response), response.headers.get("Retry-After"), key=self._key
            )
        try:
            answer = response.json()
        except ValueError:
            raise ProviderBusy("its answer is cut off or no JSON") from None
        return _in_order(answer, len(texts))


def _in_order(answer: Any, texts: int) -> Sequence[Sequence[float]]:
    """The vectors by their index: the API need not keep the order."""
    try:
        found = {int(entry["index"]): entry["embedding"] for entry in answer["data"]}
    except (KeyError, TypeError, ValueError):
        raise ProviderRefused(
            "its answer is not that of an embeddings API: no data[].index, embedding"
        ) from None
    if sorted(found) != list(range(texts)):
        raise ProviderRefused(f"it was given {texts} texts and answered with {len(found)} vectors")
    return [found[row] for row in range(texts)]


def _said(response: httpx2.Response) -> str:
    """The error message in the answer, or how the answer begins."""
    try:
        error = response.json()["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return response.text
