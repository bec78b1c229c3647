"""What a datastore says about itself when asked whether it is there, and how all are asked at once.

How one is asked belongs to its own `<name>_diagnosis.py`; which ones there are, to `diagnoses.py`.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from marketing_platform.errors import MarketingPlatformError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Found:
    """A datastore that answered: its version, how long one question took, what it lacks and the remedy."""

    version: str | None
    milliseconds: float | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """One datastore to be asked; `ask` raises MarketingPlatformError when there is no answer."""

    roles: str
    kind: str
    endpoint: str  # as messages name it: never a secret
    ask: Callable[[], Found]


@dataclass(frozen=True)
class Diagnosis:
    """What came of a question; `missing` says how to mend it, and is empty when all is well."""

    roles: str
    kind: str
    endpoint: str
    answers: bool
    version: str | None
    milliseconds: float | None
    missing: tuple[str, ...]


def timed(action: Callable[[], _T]) -> tuple[_T, float]:
    """What the action returns, and the milliseconds it took."""
    began = time.perf_counter()
    result = action()
    return result, 1000 * (time.perf_counter() - began)


def too_old(version: str, oldest: tuple[int, ...], setting: str) -> tuple[str, ...]:
    """What to say of a server older than this project was built for; nothing when it is not."""
    number = tuple(int(part) for part in re.findall(r"\d+", version.partition(" ")[0]))
    if number >= oldest:
        return ()
    wanted = ".".join(map(str, oldest))
    return (
        f"version {version} is not supported: upgrade to {wanted} or newer, or let {setting} name another",
    )


def diagnose(questions: Sequence[Question], *, seconds: float) -> list[Diagnosis]:
    """Ask all at once; in the order of the questions. One that is silent for `seconds` does not answer."""
    answers: queue.SimpleQueue[tuple[int, Diagnosis]] = queue.SimpleQueue()
    for number, question in enumerate(questions):
        # Daemons: a client that hangs must not keep the command from ending.
        threading.Thread(
            target=lambda number=number, question=question: answers.put((number, _answered(question))),
            daemon=True,
        ).start()
    ends = time.monotonic() + seconds
    found: dict[int, Diagnosis] = {}
    while len(found) < len(questions):
        try:
            number, diagnosis = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            break
        found[number] = diagnosis
    silent = f"did not answer within {seconds:g} s; look at its load and the network in between"
    return [found.get(number) or _failed(question, silent) for number, question in enumerate(questions)]


def _answered(question: Question) -> Diagnosis:
    try:
        found = question.ask()
    except MarketingPlatformError as error:
        return _failed(question, str(error))
    except Exception as error:  # noqa: BLE001 -- a client's surprise is a finding about one store, not the end of all
        said = (str(error).splitlines() or [""])[0][:200]
        return _failed(question, f"{type(error).__name__}: {said}")
    return Diagnosis(
        question.roles,
        question.kind,
        question.endpoint,
        True,
        found.version,
        found.milliseconds,
        found.missing,
    )


def _failed(question: Question, reason: str) -> Diagnosis:
    return Diagnosis(question.roles, question.kind, question.endpoint, False, None, None, (reason,))
