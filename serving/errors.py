"""Everything the API answers when it does not answer the question: one table, one body.

Endpoints raise `ApiError` with a code of the table; `install` turns that, and whatever the
framework or a store raises, into `{error_code, message, details, timestamp, request_id}`. No
error repeats what the client sent, and none shows a stack trace: those go to the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from marketing_platform.errors import (
    CostRefused,
    EncoderUnavailable,
    MarketingPlatformError,
    StoreBusy,
    StoreFull,
    StoreUnavailable,
    UnknownRelease,
)
from serving.observability.exchange import note_error

_log: Any = structlog.get_logger("serving.errors")
_RETRY_SECONDS = 2


@dataclass(frozen=True)
class ErrorKind:
    """A row of the table: what the code means and what to do about it."""

    status: int
    message: str
    example: Mapping[str, Any]
    retry_after: int | None = None  # seconds
    challenge: str | None = None  # WWW-Authenticate: RFC 9110, section 11.6.1, and RFC 6750, section 3


ERRORS: Mapping[str, ErrorKind] = {
    "unauthenticated": ErrorKind(
        401,
        "Send an API key: `Authorization: Bearer mp_…` or `X-API-Key: mp_…`.",
        {},
        challenge='Bearer realm="marketing-platform"',
    ),
    "invalid_credentials": ErrorKind(
        401,
        "The key or token that was sent is not good, or no longer; details say why.",
        {"reason": "expired"},
        challenge='Bearer realm="marketing-platform", error="invalid_token"',
    ),
    "invalid_signature": ErrorKind(
        401,
        "The call is not signed as Standard Webhooks has it by a secret of this hook; details say why.",
        {"reason": "wrong_signature"},
        challenge='Signature realm="marketing-platform"',
    ),
    "forbidden_scope": ErrorKind(
        403,
        "The key or token is good, but lacks the scope that this needs.",
        {"scope": "read:analytics"},
        challenge='Bearer realm="marketing-platform", error="insufficient_scope"',
    ),
    "forbidden_user": ErrorKind(
        403, "The token is a user's, and reads what is about that user alone.", {"parameter": "user_id"}
    ),
    "unknown_user": ErrorKind(404, "The release knows no such user.", {"parameter": "user_id"}),
    "unknown_template": ErrorKind(
        404, "There is no such template; templates/email/ declares them.", {"parameter": "template"}
    ),
    "unknown_link": ErrorKind(404, "This link is not one of ours, or was changed on its way.", {}),
    "unknown_campaign": ErrorKind(404, "The release knows no such campaign.", {"parameter": "campaign_id"}),
    "unknown_segment": ErrorKind(404, "The release has no such segment.", {"parameter": "segment"}),
    "malformed_request": ErrorKind(400, "This is not HTTP as the standard has it.", {}),
    "malformed_json": ErrorKind(
        400, "The body is not JSON as RFC 8259 has it; details says why.", {"problem": "a key occurs twice"}
    ),
    "malformed_stream": ErrorKind(
        400, "The upload cannot be read to its end; details says why.", {"problem": "the body is not gzip"}
    ),
    "unknown_release": ErrorKind(
        404,
        "No release of that id is kept; it may have been collected.",
        {"parameter": "release"},
    ),
    "unknown_suppression": ErrorKind(
        404, "There is no suppression of that id.", {"parameter": "suppression_id"}
    ),
    "unknown_erasure": ErrorKind(404, "There is no erasure of that id.", {"parameter": "erasure_id"}),
    "unknown_receipt": ErrorKind(
        404, "You have written nothing under this receipt.", {"parameter": "receipt_id"}
    ),
    "unknown_experiment": ErrorKind(404, "The release has no such experiment.", {"parameter": "name"}),
    "unknown_batch": ErrorKind(404, "There is no such batch.", {"parameter": "batch_id"}),
    "unknown_route": ErrorKind(404, "There is nothing at this path; /docs lists what there is.", {}),
    "method_not_allowed": ErrorKind(
        405, "The path exists, but not for this method; see the Allow header.", {"allow": "GET"}
    ),
    "not_acceptable": ErrorKind(406, "Answers are application/json; see the Accept header.", {}),
    "request_too_slow": ErrorKind(408, "The request did not arrive in time; send it again.", {}),
    "conflict": ErrorKind(409, "It contradicts what is there already, or what is under way.", {}),
    "call_repeated": ErrorKind(
        409,
        "This webhook-id came before: the very same message (replayed), or with another body (other_body).",
        {"reason": "replayed"},
    ),
    "idempotency_in_flight": ErrorKind(
        409,
        "A request with this Idempotency-Key is being carried out; ask again for its answer.",
        {"header": "Idempotency-Key"},
        _RETRY_SECONDS,
    ),
    "body_too_large": ErrorKind(
        413, "The body is longer than this route takes.", {"problem": "a line has at most 1048576 bytes"}
    ),
    "target_too_long": ErrorKind(414, "Path and query together are too long.", {}),
    "unsupported_media_type": ErrorKind(
        415, "This route takes another Content-Type.", {"accepted": "application/json"}
    ),
    "idempotency_key_reused": ErrorKind(
        422,
        "This Idempotency-Key came with another request before; a new request needs a new one.",
        {"header": "Idempotency-Key"},
    ),
    "too_many_requests": ErrorKind(
        429, "Too many requests; Retry-After says when the next one fits.", {}, _RETRY_SECONDS
    ),
    "headers_too_large": ErrorKind(431, "The headers are too many or too long.", {}),
    "invalid_parameter": ErrorKind(
        422,
        "A parameter is missing or has a value it cannot have; details names each.",
        {
            "problems": [
                {"in": "query", "name": "limit", "problem": "Input should be greater than or equal to 1"}
            ]
        },
    ),
    "unanswerable": ErrorKind(
        422,
        "The question is well put, but has no answer; details say why, and what could be asked.",
        {"reason": "AOV cannot be broken down by campaign; it can by source, country, day, week"},
    ),
    "no_release": ErrorKind(
        503, "No release is being served yet; run the pipeline or wait for it.", {}, _RETRY_SECONDS
    ),
    "not_ready": ErrorKind(
        503, "What this request needs is still being opened.", {"part": "encoder"}, _RETRY_SECONDS
    ),
    "store_unavailable": ErrorKind(503, "A datastore does not answer at the moment.", {}, _RETRY_SECONDS),
    "encoder_unavailable": ErrorKind(
        503, "What makes vectors of messages does not answer at the moment.", {}, _RETRY_SECONDS
    ),
    "overloaded": ErrorKind(503, "More is asked than can be answered in time; nothing was done.", {}, 1),
    "deadline_exceeded": ErrorKind(504, "The answer took too long and was given up.", {}),
    "internal_error": ErrorKind(500, "The request failed here, and the failure was logged.", {}),
}


# What middleware answers, whatever the route; and clients make another path of an id such as `..`.
_ANYWHERE = (
    "unknown_route",
    "malformed_request",
    "not_acceptable",
    "request_too_slow",
    "body_too_large",
    "target_too_long",
    "too_many_requests",
    "headers_too_large",
    "overloaded",
    "deadline_exceeded",
)


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error_code: str = Field(
        description="Stable name of what went wrong.", json_schema_extra={"enum": list(ERRORS)}
    )
    message: str = Field(description="The same for a person.")
    details: dict[str, Any] = Field(description="Which parameter or part it concerns; never what was sent.")
    timestamp: datetime = Field(description="When, UTC.")
    request_id: str = Field(description="The request in our log; the X-Request-Id header carries it too.")


class ApiError(Exception):
    """Raised by services and endpoints; `code` is a key of `ERRORS`."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(ERRORS[code].message)
        self.code = code
        self.details = details


def render(
    code: str,
    request_id: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The error `code` as a response."""
    note_error(code, details or {})
    kind = ERRORS[code]
    body = {
        "error_code": code,
        "message": kind.message,
        "details": details or {},
        "timestamp": datetime.now(UTC),
        "request_id": request_id,
    }
    own = {"Retry-After": str(kind.retry_after)} if kind.retry_after else {}
    if kind.challenge:
        own["WWW-Authenticate"] = kind.challenge
    return Response(
        orjson.dumps(body, option=orjson.OPT_UTC_Z),
        kind.status,
        {"Cache-Control": "no-store", **own, **(headers or {})},
        "application/json",
    )


def refuse(scope: Scope, code: str, *, headers: Mapping[str, str] | None = None, **details: Any) -> Response:
    """The error `code` as the answer of a middleware."""
    return render(code, scope["state"]["request_id"], details=details, headers=headers)


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of these codes and of those of every route, with an example for each."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, *_ANYWHERE):
        kind = ERRORS[code]
        entry = responses.setdefault(
            kind.status,
            {
                "model": ErrorBody,
                "description": kind.message,
                "content": {"application/json": {"examples": {}}},
            },
        )
        entry["content"]["application/json"]["examples"][code] = {
            "summary": kind.message,
            "value": _example(code),
        }
        if kind.challenge:
            entry["headers"] = {
                "WWW-Authenticate": {"description": "How to say who calls.", "schema": {"type": "string"}}
            }
        if kind.retry_after:
            entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return responses


def install(app: FastAPI, routers: Sequence[APIRouter] = ()) -> None:
    """Let `app`, which includes these `routers`, answer every error with the one body."""
    app.state.routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    app.exception_handler(ApiError)(_failed)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(MarketingPlatformError)(_failed)


def told(error: ApiError | MarketingPlatformError, request_id: str) -> Response:
    """The answer to a question that ended with `error`; raises it if it is a defect of ours."""
    meant = error if isinstance(error, ApiError) else _meaning(error)
    return render(meant.code, request_id, details=meant.details)


async def _failed(request: Request, error: ApiError | MarketingPlatformError) -> Response:
    return told(error, request_id(request))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(problem["type"] == "json_invalid" for problem in found):
        return render("malformed_json", request_id(request))
    problems = [_problem(problem) for problem in found]
    return render("invalid_parameter", request_id(request), details={"problems": problems})


async def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = ", ".join(sorted(_methods(request))) or (error.headers or {}).get("Allow", "GET")
        details = {"allow": allow}
        return render("method_not_allowed", request_id(request), details=details, headers={"Allow": allow})
    if error.status_code == HTTPStatus.NOT_FOUND:
        return render("unknown_route", request_id(request))
    raise error


def _methods(request: Request) -> set[str]:
    """What the routes of this path take together: the framework only knows of the first of them."""
    routes: Sequence[APIRoute] = request.app.state.routes
    matched = next((route for route in routes if route.path_regex.match(request.scope["path"])), None)
    same = (route for route in routes if matched is not None and route.path_format == matched.path_format)
    methods = {method for route in same for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


def _meaning(error: MarketingPlatformError) -> ApiError:
    if isinstance(error, StoreUnavailable | StoreBusy | StoreFull):
        return ApiError("store_unavailable")
    if isinstance(error, CostRefused):
        _log.warning("a query would have cost too much", reason=str(error))
        return ApiError("store_unavailable")
    if isinstance(error, EncoderUnavailable):
        _log.warning("encoder unavailable", reason=str(error))
        return ApiError("encoder_unavailable")
    if isinstance(error, UnknownRelease):
        return ApiError("no_release")
    raise error  # logged and answered with 500 by the middleware


def request_id(request: Request) -> str:
    """The id that the middleware gave this request."""
    return request.state.request_id


def _problem(problem: Mapping[str, Any]) -> dict[str, str]:
    location: Sequence[str | int] = problem["loc"]
    if problem["type"] == "extra_forbidden":  # the last part is a name that the client made up
        location = location[:-1]
    name = ".".join(str(part) for part in location[1:]) or str(location[0])
    # pydantic's `input` and `ctx` hold what was sent; its message does not.
    return {"in": str(location[0]), "name": name, "problem": problem["msg"].removeprefix("Value error, ")}


def _example(code: str) -> dict[str, Any]:
    kind = ERRORS[code]
    return {
        "error_code": code,
        "message": kind.message,
        "details": kind.example,
        "timestamp": "2026-11-21T06:30:12Z",
        "request_id": "0d6f9c1e5b7a4f0a9d3c2b1a0f9e8d7c",
    }
