"""Makes the e-mail of one user from what the release knows, and takes people off the list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from marketing_platform.content.email.message import compose, unsubscribe_headers
from marketing_platform.content.email.products import Shown, leaving_now
from marketing_platform.content.email.rendering import FieldsUnfit, Rendered, Wish, render
from marketing_platform.content.email.spec import CONTROL, AnyField
from marketing_platform.content.email.templates import EmailTemplate, Templates
from marketing_platform.content.email.texts import as_address
from marketing_platform.content.email.unsubscribing import user_of
from marketing_platform.content.people import PEOPLE, Person
from marketing_platform.errors import InputError, UnknownTemplate
from marketing_platform.ingestion.written import Profile, UserData, user_data_records
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.opening import declared_templates
from marketing_platform.mailing.parcels import envelope, unsubscribe_url
from marketing_platform.recommenders.prepared import PRODUCT_LISTS, StoredList
from marketing_platform.releases.mail import MailLedger
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import from_environment
from serving.emails.schemas import EmailQuestion
from serving.errors import ApiError
from serving.overrides import LiveOverrides, Standing
from serving.releases import OpenRelease, ReleaseHolder
from serving.threads import Threads
from serving.writes.service import Asked, WriteService

_THREADS = 4
_WRITER = "unsubscribe"  # who writes, in the ledger of writes
_NO_MORE = UserData(profile=Profile(marketing_consent=False))  # pyright: ignore[reportCallIssue]


class EmailService:
    """One per process; open while `running`."""

    def __init__(
        self,
        settings: Settings,
        ledger: MailLedger,
        writes: WriteService,
        overrides: LiveOverrides,
        holder: ReleaseHolder,
    ) -> None:
        self._settings = settings
        self._holder = holder
        self._ledger = ledger
        self._writes = writes
        self._overrides = overrides
        self._mail = from_environment(MailSettings)
        self._threads = Threads("emails", threads=_THREADS, seconds=settings.api_seconds)
        self._templates: Templates | None = None
        self._key: bytes | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Compile what is declared.

        Raises:
            EmailError: Something declared is wrong: the API does not start.
        """
        self._templates = await asyncio.to_thread(declared_templates, self._settings)
        try:
            yield
        finally:
            self._threads.close()

    async def key(self) -> bytes:
        """What signs links to unsubscribe; read once."""
        if self._key is None:
            self._key = await self._threads.run(self._ledger.signing_key)
        return self._key

    def email(
        self, release: OpenRelease, user_id: str, question: EmailQuestion, standing: Standing, key: bytes
    ) -> bytes:
        """The e-mail as JSON without its head.

        Raises:
            ApiError: `unknown_user`, `unknown_template` (404); `invalid_parameter` (422) naming each field
                that is missing or not usable; `not_ready` (503) for a release that is older than people.
        """
        found, stored = release.answer(PEOPLE, user_id), release.answer(PRODUCT_LISTS, user_id)
        if found is None or stored is None:
            raise ApiError("unknown_user", parameter="user_id")
        person = Person.read(found)
        products = leaving_now(StoredList.read(stored), person, standing.rules, standing.facts)
        url = unsubscribe_url(self._mail, key, user_id)
        try:
            template = self._declared.named(question.template)
        except UnknownTemplate:
            raise ApiError("unknown_template", parameter="template") from None
        _require_known(template.locales, question.locale, "locale")
        _require_known(template.variants, question.variant, "variant")
        variant = question.variant or _arm(release, user_id, template, standing)
        wish = Wish(question.locale, variant, question.fields)
        try:
            rendered = render(
                template, self._declared.sending, person, products, unsubscribe_url=url, wish=wish
            )
        except FieldsUnfit as error:
            raise _unfit(error, template.declared.fields) from None
        except InputError:
            raise ApiError("unanswerable", reason="the page is larger than mail programs show") from None
        return _document(person, rendered, url)

    def message(self, answer: bytes, now: datetime) -> bytes:
        """An answer of `email` as a message that mail programs read; ApiError for a user without address."""
        told: dict[str, Any] = orjson.loads(answer)
        if told["to"] is None:
            raise ApiError("unanswerable", reason="the user has no e-mail address that could be used")
        addressed = envelope(
            self._mail,
            self._declared.sending.brand,
            to=told["to"],
            name=None,
            message=f"preview-{now:%Y%m%d%H%M%S%f}",
            at=now,
            url=told["headers"]["List-Unsubscribe"][1:-1],
        )
        return compose(
            addressed,
            subject=told["subject"],
            html=told["html_content"],
            text=told["text_content"],
            locale=told["locale"],
        ).as_bytes()

    async def holder(self, token: str) -> str:
        """Who holds a link to unsubscribe; ApiError (`unknown_link`) for one that is not ours."""
        user_id = user_of(await self.key(), token)
        if user_id is None:
            raise ApiError("unknown_link")
        return user_id

    async def unsubscribe(self, token: str) -> None:
        """No e-mail from now on, and the next release knows it too; doing it again changes nothing."""
        user_id = await self.holder(token)
        if await self._is_gone(user_id):
            return
        await self._threads.run(self._ledger.unsubscribe, user_id, now=datetime.now(UTC))
        if self._overrides.is_erased(user_id):
            return  # their rows are going; none is to come
        asked = Asked(_WRITER, _WRITER, user_id)
        try:
            await self._writes.write(
                asked,
                "user-data",
                user_id,
                user_id.encode(),
                lambda received_at: user_data_records(user_id, _NO_MORE, received_at),
            )
        except ApiError as error:
            if error.code != "idempotency_in_flight":  # the same click, carried out by another request
                raise

    async def _is_gone(self, user_id: str) -> bool:
        """Whether the user was forgotten for good: an old link must not make them known again."""
        if not await self._threads.run(self._overrides.erasures.is_forgotten, user_id):
            return False
        with self._holder.lease() as release:
            return await self._threads.run(release.answer, PEOPLE, user_id) is None

    @property
    def _declared(self) -> Templates:
        if self._templates is None:
            raise RuntimeError("templates are compiled while the service runs")
        return self._templates


def _arm(release: OpenRelease, user_id: str, template: EmailTemplate, standing: Standing) -> str:
    """The wording that the user would be sent; looking at it exposes nobody."""
    day = standing.facts.today
    found = release.experiments.assign(surface="email", about=template.name, user_id=user_id, day=day)
    return found.variant if found and found.variant in template.variants else CONTROL


def _require_known(known: Sequence[str], wanted: str | None, name: str) -> None:
    if wanted is not None and wanted not in known:
        problem = {"in": "body", "name": name, "problem": f"Input should be one of {', '.join(known)}"}
        raise ApiError("invalid_parameter", problems=[problem])


def _unfit(error: FieldsUnfit, declared: Sequence[AnyField]) -> ApiError:
    """Names of fields are ours, what somebody else made up is not repeated."""
    own = {one.field for one in declared}
    problems = [
        {"in": "body", "name": f"fields.{name if name in own else '…'}", "problem": problem}
        for name, problem in error.problems.items()
    ]
    return ApiError("invalid_parameter", problems=problems)


def _document(person: Person, rendered: Rendered, url: str) -> bytes:
    to = as_address(person.email or "")
    refused = "no_consent" if person.marketing_consent is not True else None if to else "no_address"
    return orjson.dumps(
        {
            "user_id": person.user_id,
            "template": rendered.template,
            "locale": rendered.locale,
            "variant": rendered.variant,
            "subject": rendered.subject,
            "preview_text": rendered.preview_text,
            "html_content": rendered.html,
            "text_content": rendered.text,
            "personalization_data": {
                name: {"value": _told(one.value), "source": one.origin} for name, one in rendered.used.items()
            },
            "to": to,
            "headers": unsubscribe_headers(url),
            "not_sent_because": refused,
        }
    )


def _told(value: str | Sequence[Shown]) -> object:
    if isinstance(value, str):
        return value
    return [{"product_id": one.product_id, "name": one.name} for one in value]
