"""Draws boards from what the release knows: a look-up that is cheap, and a drawing that is remembered.

The look-up gives everything a board depends on, with what must not leave left out; its digest is the
name under which the drawing is remembered, so that no board outlives a suppression or an erasure.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from starlette.concurrency import run_in_threadpool

from marketing_platform.content.board.looks import Format, Look
from marketing_platform.content.board.pictures import BOARD_IMAGES, Pictures
from marketing_platform.content.people import PEOPLE, Person
from marketing_platform.releases.manifest import Manifest
from serving.errors import ApiError
from serving.lookups import Lookups
from serving.overrides import LiveOverrides, Standing
from serving.recommendations.service import Wanted, chosen
from serving.releases import OpenRelease

if TYPE_CHECKING:
    from marketing_platform.content.board.studio import Studio


@dataclass(frozen=True)
class Drawing:
    """What was drawn, or nothing where the one who asks has it already."""

    manifest: Manifest
    etag: str
    body: bytes | None


class Boards:
    """Draws boards as `folder` declares them; `running` has to be entered first."""

    def __init__(self, folder: Path, lookups: Lookups, overrides: LiveOverrides) -> None:
        self._folder = folder
        self._lookups = lookups
        self._overrides = overrides
        self._studio: Studio | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open designs and fonts, so that no request waits for it; raises BoardError."""
        # Drawing brings libraries that take a while to import.
        from marketing_platform.content.board.studio import Studio

        self._studio = await run_in_threadpool(Studio.open, self._folder)
        yield

    @property
    def studio(self) -> Studio:
        """What draws."""
        if self._studio is None:
            raise RuntimeError("running() opens the studio; enter it first")
        return self._studio

    def look(self, form: Format, theme: str | None, aspect: str | None) -> Look:
        """What is asked for, with what is usual in place of None; `invalid_parameter` (422) for others."""
        usual = dict(zip(("theme", "aspect"), self.studio.design.defaults, strict=True))
        asked = {"theme": theme or usual["theme"], "aspect": aspect or usual["aspect"]}
        known: dict[str, Collection[str]] = {
            "theme": self.studio.design.themes,
            "aspect": self.studio.design.aspects,
        }
        problems = [
            {"in": "query", "name": name, "problem": f"must be one of {', '.join(known[name])}"}
            for name, value in asked.items()
            if value not in known[name]
        ]
        if problems:
            raise ApiError("invalid_parameter", problems=problems)
        return Look(form, **asked)

    async def drawn(
        self,
        user_id: str,
        look: Look,
        *,
        pinned: str | None,
        has: str,
    ) -> Drawing:
        """The board of a user, from one release.

        Args:
            user_id: Whose.
            look: How.
            pinned: A release of the past, whose board is drawn as it was, or None.
            has: The ETags of what the one who asks has.
        """
        standing = None if pinned else self._overrides.standing("product")
        while True:
            manifest, given = await self._lookups.ask(
                "recommendations", (user_id,), pinned, known, user_id, standing
            )
            digest = blake2b(given, key=self.studio.identity, digest_size=16).hexdigest()
            etag = f'"{manifest.release_id}/{digest}"'
            if etag in has:
                return Drawing(manifest, etag, None)
            drawn_of, _, body = await self._lookups.ask_once(
                "boards", (user_id,), pinned, draw, digest, look, studio=self.studio, given=given
            )
            # Only if another release came to serve between the two was it drawn with the images of that one.
            if drawn_of.release_id == manifest.release_id:
                return Drawing(manifest, etag, body)


def known(release: OpenRelease, user_id: str, standing: Standing | None) -> bytes:
    """All that a board shows of a user but images, as JSON.

    `unknown_user` (404) when the release has no such user, `not_ready` (503) when it is older than boards.
    """
    person = release.answer(PEOPLE, user_id)
    if person is None:
        raise ApiError("unknown_user", parameter="user_id")
    stored, kept, found = chosen(release, user_id, Wanted("product"), standing)
    categories = [stored.categories[place] if stored.categories else None for place in kept]
    return b'{"person":%s,"categories":%s,"products":%s}' % (
        person,
        orjson.dumps(categories),
        stored.answer(kept, found.dropped),
    )


def draw(release: OpenRelease, digest: str, look: Look, *, studio: Studio, given: bytes) -> bytes:
    """The board, from what `known` said; `digest` stands for that where boards are remembered."""
    from marketing_platform.content.board.studio import recommended

    said = orjson.loads(given)
    products = recommended(said["products"]["items"], said["categories"])
    pictures = Pictures(partial(release.kept, BOARD_IMAGES))
    return studio.draw(Person.read(orjson.dumps(said["person"])), products, pictures, look)
