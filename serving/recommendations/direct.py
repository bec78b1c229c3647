"""The whole prepared answer for a user, given below the framework, which would cost more than the look-up.

Only the plain question is taken here: `GET /api/v1/users/{user_id}/recommendations`, at most with `kind`,
from a caller who is known and may ask. Everything is decided by the functions that decide it for the route
in `endpoints.py`, and what any of them would refuse is left to the layers of the framework, which say why. A
test holds the two together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import get_args

from pydantic import TypeAdapter, ValidationError
from starlette.types import Scope

from marketing_platform.access import Principal
from marketing_platform.access import Scope as Permission
from marketing_platform.errors import MarketingPlatformError
from serving import errors, responses
from serving.access.gatekeeper import Gatekeeper
from serving.access.permission import decide
from serving.errors import ApiError
from serving.experiments.exposing import Exposures
from serving.limits import caps
from serving.limits.rates import Fields, Rates
from serving.limits.settings import LimitSettings
from serving.limits.shedding import Load, overloaded
from serving.lookups import Lookups
from serving.overrides import LiveOverrides
from serving.parameters import Id
from serving.recommendations import service
from serving.recommendations.endpoints import users

_PREFIX, _SUFFIX = "/api/v1/users/", "/recommendations"
_WANTED = {b"": service.Wanted()} | {
    f"kind={kind}".encode(): service.Wanted(kind) for kind in get_args(service.Kind)
}
_ID = TypeAdapter(Id)
_ROUTE = next(route for route in users.routes if getattr(route, "name", None) == "of_user")


@dataclass(frozen=True)
class DirectAnswers:
    """Answers the plain question; what it asks is what the framework's layers and route ask."""

    limits: LimitSettings
    load: Load
    gatekeeper: Gatekeeper
    rates: Rates
    lookups: Lookups
    overrides: LiveOverrides
    exposures: Exposures

    async def answer(self, scope: Scope) -> responses.Raw | None:
        """The answer, an error if that is what the look-up came to; None for what is not taken here.

        When it is None, nothing was counted, and nothing was looked up.
        """
        path: str = scope["path"]
        if scope["method"] != "GET" or not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
            return None
        user_id = path[len(_PREFIX) : -len(_SUFFIX)]
        wanted = _WANTED.get(scope["query_string"])
        if wanted is None or not _is_id(user_id):
            return None
        fields = self._admitted(scope, user_id)
        if fields is None:
            return None
        scope["route"] = _ROUTE  # for the log and the metrics
        self.load.in_flight += 1
        try:
            answer = await self._looked_up(scope, user_id, wanted)
        finally:
            self.load.in_flight -= 1
        answer.headers.extend(fields)
        return answer

    def _admitted(self, scope: Scope, user_id: str) -> Fields | None:
        """What the answer says of its limits, which it has used up; None if anything speaks against it."""
        if caps.refusal(scope, self.limits) or overloaded(scope, self.limits, self.load):
            return None
        principal = self.gatekeeper.at_hand(scope["headers"])
        permitted = decide(principal, None, Permission.READ_RECOMMENDATIONS, (user_id,))
        if not isinstance(permitted, Principal):
            return None
        scope["state"]["principal"] = permitted
        fields, wait = self.rates.take(scope, time.time())
        return None if wait else fields

    async def _looked_up(self, scope: Scope, user_id: str, wanted: service.Wanted) -> responses.Raw:
        try:
            standing = self.overrides.standing(wanted.items)
            manifest, body = await self.lookups.ask(
                "recommendations",
                (user_id,),
                None,
                service.of_user,
                user_id,
                wanted,
                standing,
                self.exposures,
            )
        except (ApiError, MarketingPlatformError) as error:
            told = errors.told(error, scope["state"]["request_id"])
            return responses.Raw(told.status_code, told.raw_headers, bytes(told.body))
        return responses.raw(_if_none_match(scope), manifest, body)


def _is_id(user_id: str) -> bool:
    try:
        _ID.validate_python(user_id)
    except ValidationError:
        return False
    return True


def _if_none_match(scope: Scope) -> str:
    return ", ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match")
