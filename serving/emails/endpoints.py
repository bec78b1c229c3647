"""`POST /api/v1/users/{user_id}/email`, and `/api/v1/unsubscribe/{token}`, which its token alone permits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.emails import pages, schemas
from serving.emails.service import EmailService
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.lookups import Lookups, lookups_of
from serving.overrides import LiveOverrides, overrides_of
from serving.parameters import PathUserId, Text

users = APIRouter(prefix="/api/v1/users", tags=["emails"])
unsubscribing = APIRouter(prefix="/api/v1/unsubscribe", tags=["emails"])

_MESSAGE = "message/rfc822"


async def _service(request: Request) -> EmailService:
    return request.app.state.emails


Emails = Annotated[EmailService, Depends(_service)]
Ask = Annotated[Lookups, Depends(lookups_of)]
Heed = Annotated[LiveOverrides, Depends(overrides_of)]
Question = Annotated[schemas.EmailQuestion, Depends(strict_json(schemas.EmailQuestion))]
Token = Annotated[Text, Path(description="Of a link in an e-mail.", min_length=1, max_length=2000)]
_SUCCESS = responses.documented_passing(schemas.example(), "The e-mail; nothing is sent.")[200]
_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}, "example": pages.done("en")}}
_OF_LINKS = ("unknown_link", "invalid_parameter", "store_unavailable", "internal_error")


@users.post(
    "/{user_id:path}/email",
    summary="Make an e-mail for a user",
    response_model=schemas.Email,
    dependencies=[Depends(allowed(Scope.READ_RECOMMENDATIONS))],
    openapi_extra=bodies.documented(schemas.EmailQuestion),
    responses={
        200: {
            **_SUCCESS,
            "content": {
                **_SUCCESS["content"],
                _MESSAGE: {"schema": {"type": "string"}, "example": "Subject: Ada, picked for you\r\n…"},
            },
        },
        **errors.documented(
            *DENIALS_OF_USERS,
            "malformed_json",
            "unsupported_media_type",
            "unknown_user",
            "unknown_template",
            "invalid_parameter",
            "unanswerable",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def email(
    *,
    request: Request,
    lookups: Ask,
    heed: Heed,
    emails: Emails,
    user_id: PathUserId,
    question: Question,
    form: Annotated[
        Literal["json", "eml"],
        Query(alias="format", description="eml: a message with text and page, as mail programs read it."),
    ] = "json",
) -> Response:
    """Filled with what the release knows of the user, and what it recommends to them. Nothing is sent.

    `personalization_data` says what was used for each field, and where it is from. A user without consent can
    be looked at, too: `not_sent_because` says so, and no campaign sends to them.
    """
    key = await emails.key()
    manifest, body = await lookups.ask(
        "recommendations", [user_id], None, emails.email, user_id, question, heed.standing("product"), key
    )
    if form == "json":
        return responses.passing(manifest, body)
    headers = {"X-Release-Id": manifest.release_id, "Cache-Control": "no-store"}
    return Response(emails.message(body, datetime.now(UTC)), 200, headers, _MESSAGE)


@unsubscribing.get(
    "/{token}",
    summary="Ask whether to unsubscribe",
    response_class=Response,
    responses={
        200: {"description": "A page with a button.", "content": {"text/html": _PAGE["text/html"]}},
        **errors.documented(*_OF_LINKS),
    },
)
async def ask(request: Request, emails: Emails, token: Token) -> Response:
    """Changes nothing, as scanners of mail follow links; the button does."""
    await emails.holder(token)
    return _html(pages.question(request.headers.get("Accept-Language", "")))


@unsubscribing.post(
    "/{token}",
    summary="Unsubscribe from e-mails",
    response_class=Response,
    responses={
        200: {"description": "It is done; once more changes nothing.", "content": _PAGE},
        **errors.documented(*_OF_LINKS),
    },
)
async def unsubscribe(request: Request, emails: Emails, token: Token) -> Response:
    """One click, as RFC 8058 has it: the link of the e-mail is the permission, the body is not looked at.

    No e-mail is sent from now on, and `marketing_consent: false` lands for the next release.
    """
    await emails.unsubscribe(token)
    return _html(pages.done(request.headers.get("Accept-Language", "")))


def _html(page: str) -> Response:
    return Response(page, 200, pages.HEADERS, "text/html; charset=utf-8")
