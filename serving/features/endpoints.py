"""`/api/v1/users/…/features`: a look-up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.features import schemas, service
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import PathUserId

router = APIRouter(
    prefix="/api/v1/users",
    tags=["features"],
    dependencies=[Depends(allowed(Scope.READ_RECOMMENDATIONS)), OF_RELEASE],
)


@router.get(
    "/{user_id:path}/features",
    summary="What models are told about a user",
    response_model=schemas.UserFeatures,
    responses={
        **responses.documented(schemas.example(), "Every declared feature by its name."),
        **errors.documented(
            *DENIALS_OF_USERS,
            "unknown_user",
            "unknown_release",
            "invalid_parameter",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def of_user(
    *, request: Request, lookups: Annotated[Lookups, Depends(lookups_of)], user_id: PathUserId
) -> Response:
    """The values that a training set has for the same user at the moment `as_of`."""
    return await lookups.answer(request, "features", service.of_user, user_id)
