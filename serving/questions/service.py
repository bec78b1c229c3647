"""Answers to questions; what they mean and how they are worked out belongs to `analytics/questions`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

from marketing_platform.analytics.kpis import Registry, load_registry
from marketing_platform.analytics.questions import Intent, Reader, ask, known_facts
from marketing_platform.analytics.questions.models import Understanding, configured_model
from serving import responses
from serving.releases import OpenRelease


class Questions:
    """What is declared about KPIs, and the names in each release that is open."""

    def __init__(self, kpis_dir: Path) -> None:
        self._kpis_dir = kpis_dir
        self._lock = Lock()
        self._registry: Registry | None = None
        self._model: Understanding | None = None
        self._readers: WeakKeyDictionary[OpenRelease, Reader] = WeakKeyDictionary()

    def answer(self, release: OpenRelease, text: str, context: Intent | None, today: date | None) -> bytes:
        """The answer to a question, or the reason why there is none."""
        reader = self._reader(release)
        asked = ask(
            reader.registry, reader, text, release.rows, today=today, context=context, model=self._model
        )
        return responses.to_json(asked.document())

    def _reader(self, release: OpenRelease) -> Reader:
        """Looks once at the names of a release, which never change."""
        with self._lock:
            if self._registry is None:
                self._registry, self._model = load_registry(self._kpis_dir), configured_model()
            if release not in self._readers:
                release.coverage()  # which says so when there are no KPIs
                facts = known_facts(self._registry, release.rows)
                self._readers[release] = Reader(self._registry, facts)
            return self._readers[release]
