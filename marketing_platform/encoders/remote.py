"""An encoder behind an API: batches, concurrency, retries, rate limit, deadline and checks.

How one request is put to a provider is `openai_compatible.py`'s and `gemini.py`'s. Nothing is contacted
before the first use, so that the API starts while its provider is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from functools import cached_property

import numpy as np
import stamina

from marketing_platform.encoders.pace import Pace, Stopped
from marketing_platform.encoders.provider import Provider, ProviderBusy, ProviderRefused
from marketing_platform.encoders.provider_settings import ProviderSettings
from marketing_platform.errors import EncoderUnavailable

# Characters of a text that are sent; models take 2,048 tokens and more. Another number, other vectors.
_LONGEST = 6_000
_WAIT_INITIAL, _WAIT_MAX = 0.5, 20.0  # seconds between attempts, where the provider names none


class RemoteEncoder:
    """Implements `Encoder`; one instance serves all threads of a process.

    With `live` there is one attempt, and one deadline for the whole of a call: `live_seconds`.
    """

    def __init__(self, provider: Provider, settings: ProviderSettings, *, live: bool) -> None:
        self._provider = provider
        self._settings = settings
        self._attempts = 1 if live else settings.max_retries + 1
        self._deadline = settings.live_seconds if live else None
        self._pace = Pace(settings.requests_per_minute)
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="encoder")

    @property
    def name(self) -> str:
        return f"{self._provider.model}:{self.dim}"

    @property
    def dim(self) -> int:
        """As configured; else the length of the model's own vectors, found out by asking once."""
        return self._dim

    @cached_property
    def _dim(self) -> int:
        if self._provider.dimensions is not None:
            return self._provider.dimensions
        ((_, vectors),) = self._answers(["dimension"], [np.array([0])], None)
        return vectors.shape[1]

    def encode(
        self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> np.ndarray:
        """See `Encoder.encode`; texts are cut off at 6,000 characters.

        Raises EncoderUnavailable when the provider failed for good, or answered with anything but one
        finite vector of `dim` numbers per text. What was answered until then has arrived.
        """
        # UTF-8 has no half of a surrogate pair; it becomes a question mark.
        readable = [text[:_LONGEST].encode("utf-8", "replace").decode() for text in texts]
        worded = np.array([_has_words(text) for text in readable], bool)
        vectors = np.zeros((len(readable), self.dim), np.float32)
        if arrived and not worded.all():
            arrived(np.flatnonzero(~worded), vectors[~worded])
        batches = list(_batches(readable, np.flatnonzero(worded), self._settings))
        for rows, found in self._answers(readable, batches, self.dim):
            vectors[rows] = found
            if arrived:
                arrived(rows, found)
        return vectors

    def _answers(
        self, texts: Sequence[str], batches: Sequence[np.ndarray], dim: int | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows of each batch and their vectors, as they come; the first failure ends the rest.

        Raised last, when what was under way has come or failed.
        """
        stop = threading.Event()
        asked = {
            self._pool.submit(self._ask, [texts[row] for row in map(int, rows)], dim, stop): rows
            for rows in batches
        }
        failed: EncoderUnavailable | None = None
        try:
            for done in as_completed(list(asked), timeout=self._deadline):
                rows = asked.pop(done)  # what was handed on is not kept here
                try:
                    yield rows, done.result()
                except (CancelledError, Stopped):
                    continue
                except EncoderUnavailable as error:
                    failed = failed or error
                    _end(asked, stop)
        except TimeoutError:
            failed = EncoderUnavailable(
                f"{self._provider.where} gave no answer within {self._settings.live_seconds:g} s"
                " (MARKETING_ENCODER_LIVE_SECONDS); try again"
            )
        finally:
            _end(asked, stop)
        if failed:
            raise failed

    def _ask(self, texts: Sequence[str], dim: int | None, stop: threading.Event) -> np.ndarray:
        """One batch, asked for until it is answered or given up."""
        reason = ""
        try:
            for attempt in stamina.retry_context(
                on=self._again,
                attempts=self._attempts,
                timeout=None,
                wait_initial=_WAIT_INITIAL,
                wait_max=_WAIT_MAX,
            ):
                with attempt:
                    self._pace.wait(stop)
                    return _checked(self._provider.embed(texts), len(texts), dim)
        except (ProviderBusy, ProviderRefused) as error:
            reason = str(error)
        # Not raised above: the error there may hold the request, and the request the key.
        raise EncoderUnavailable(
            f"{self._provider.where} failed: {reason}. What was encoded is kept; mend the"
            " MARKETING_ENCODER_ settings or wait for the provider, then run again"
        )

    def _again(self, error: Exception) -> bool | float:
        """Whether to ask again; at once where the provider named a time, since `Pace` waits for it."""
        if not isinstance(error, ProviderBusy):
            return False
        if error.retry_after is None:
            return True
        if error.retry_after > self._settings.longest_wait_seconds:
            return False
        self._pace.hold(error.retry_after)  # for every request, not just for this one
        return 0.0


def _has_words(text: str) -> bool:
    """Whether there is anything to be seen; no provider is asked about nothing."""
    return any(character.isprintable() and not character.isspace() for character in text)


def _batches(texts: Sequence[str], rows: np.ndarray, settings: ProviderSettings) -> Iterator[np.ndarray]:
    """Rows of at most `batch_texts` texts and `batch_bytes` bytes, or of one text alone."""
    batch: list[int] = []
    size = 0
    for row in map(int, rows):
        length = len(texts[row].encode())
        if batch and (len(batch) == settings.batch_texts or size + length > settings.batch_bytes):
            yield np.array(batch)
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield np.array(batch)


def _checked(vectors: Sequence[Sequence[float]], texts: int, dim: int | None) -> np.ndarray:
    """The vectors at unit length, texts x dim float32; ProviderRefused for anything else."""
    if len(vectors) != texts:
        raise ProviderRefused(f"it was given {texts} texts and answered with {len(vectors)} vectors")
    lengths = sorted({len(vector) for vector in vectors})
    if lengths != [dim or lengths[0]]:
        raise ProviderRefused(
            f"it answered with vectors of {', '.join(map(str, lengths))} numbers, not {dim or 'one length'}:"
            " MARKETING_ENCODER_DIMENSIONS has to be a length that the model can give"
        )
    try:
        found = np.array(vectors, np.float64)
    except (TypeError, ValueError):
        raise ProviderRefused("it answered with a vector of something else than numbers") from None
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise ProviderRefused("it answered with a vector that is zero or not finite")
    return (found / norms).astype(np.float32)


def _end(asked: Iterable[Future[np.ndarray]], stop: threading.Event) -> None:
    """Send no further request of a call; what is under way is not waited for."""
    stop.set()
    for future in asked:
        future.cancel()
