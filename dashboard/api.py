"""Asks the API, and says in words for marketers why there is no answer. Knows nothing of Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, BinaryIO

import requests
import stamina

from dashboard.settings import DashboardSettings

Parameters = Mapping[str, str | int | list[str] | None]


class Why(StrEnum):
    """Why there is no answer."""

    DOWN = "down"  # nothing answers at the address
    NO_RELEASE = "no release"
    NOT_YET = "not yet"  # the release was made before there was such a thing
    KEY = "key"  # missing, wrong, ended
    SCOPE = "scope"  # the key may not
    BUSY = "busy"  # too many requests, or overloaded
    NOT_FOUND = "not found"
    REFUSED = "refused"  # what was asked cannot be answered, the message says why
    FAILED = "failed"


class NoAnswer(Exception):
    """The API did not answer what was asked.

    Attributes:
        why: What kind of problem it is.
        message: What to tell.
        retry_seconds: When it may be asked again; None when that is not known.
        request_id: Finds the request in the API's log.
    """

    def __init__(
        self, why: Why, message: str, *, retry_seconds: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.retry_seconds = retry_seconds
        self.request_id = request_id


_BY_CODE = {
    **dict.fromkeys(("unauthenticated", "invalid_credentials"), Why.KEY),
    **dict.fromkeys(("forbidden_scope", "forbidden_user"), Why.SCOPE),
    **dict.fromkeys(("too_many_requests", "overloaded"), Why.BUSY),
    "no_release": Why.NO_RELEASE,
    "not_ready": Why.NOT_YET,
}
_BY_STATUS = {404: Why.NOT_FOUND, **dict.fromkeys((400, 413, 415, 422), Why.REFUSED)}


class Api:
    """The API with the dashboard's key. Safe to be used by several sessions at once."""

    def __init__(self, settings: DashboardSettings) -> None:
        self._url = settings.api_url.rstrip("/")
        self._settings = settings
        key = settings.found_key
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor .netrc of whoever started it

    @property
    def address(self) -> str:
        return self._url

    def get(self, path: str, parameters: Parameters | None = None) -> dict[str, Any]:
        """The answer; NoAnswer says why there is none. A broken connection is tried once more."""
        asked = stamina.retry(on=_broken, attempts=2, timeout=3, wait_initial=0.1)(self._told)
        return asked("GET", path, params=parameters)

    def ask(self, question: str, context: Mapping[str, Any] | None) -> dict[str, Any]:
        """The answer to a question in plain English, or its refusal, which is an answer too."""
        return self._told("POST", "/api/v1/questions", json={"question": question, "context": context})

    def land(self, source: str, name: str, content: BinaryIO) -> dict[str, Any]:
        """Where the file landed."""
        return self._told(
            "POST",
            "/api/v1/files",
            params={"source": source, "name": name},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            seconds=self._settings.upload_seconds,
        )

    def _told(self, method: str, path: str, **asked: Any) -> dict[str, Any]:
        try:
            return self._asked(method, path, **asked)
        except requests.ConnectionError as error:
            raise NoAnswer(Why.DOWN, f"Nothing answers at {self._url}.") from error

    def _asked(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        **asked: Any,
    ) -> dict[str, Any]:
        deadlines = (self._settings.connect_seconds, seconds or self._settings.answer_seconds)
        try:
            answer = self._session.request(
                method,
                self._url + path,
                headers={**self._headers, **(headers or {})},
                timeout=deadlines,
                allow_redirects=False,
                **asked,
            )
        except requests.Timeout as error:
            raise NoAnswer(Why.FAILED, "The answer took too long. Ask for less, or try again.") from error
        return _read(answer)


def _broken(error: Exception) -> bool:
    return isinstance(error, NoAnswer) and error.why is Why.DOWN


def _read(answer: requests.Response) -> dict[str, Any]:
    try:
        document: dict[str, Any] = answer.json()
    except ValueError:
        raise NoAnswer(Why.FAILED, f"This is no answer of the API (status {answer.status_code}).") from None
    if answer.ok:
        return document
    code = document.get("error_code", "")
    raise NoAnswer(
        _BY_CODE.get(code) or _BY_STATUS.get(answer.status_code, Why.FAILED),
        _message(document),
        retry_seconds=_seconds(answer.headers.get("Retry-After")),
        request_id=document.get("request_id"),
    )


def _message(document: Mapping[str, Any]) -> str:
    """The most particular words there are."""
    details = document.get("details") or {}
    problems = [str(problem["problem"]) for problem in details.get("problems", ())]
    return "; ".join(problems) or str(details.get("reason") or document.get("message") or "It failed.")


def _seconds(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() else None
