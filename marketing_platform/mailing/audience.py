"""Who is in a segment, and what the release knows of each: the readers that sending needs of a release."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from marketing_platform.content.people import PEOPLE, Person
from marketing_platform.content.segments.queries import MEMBERS, MEMBERS_SQL
from marketing_platform.errors import UnknownName
from marketing_platform.experiments.assigning import Experiments
from marketing_platform.experiments.released import open_experiments
from marketing_platform.experiments.spec import Declarations
from marketing_platform.features.asking import ask_release
from marketing_platform.recommenders.prepared import PRODUCT_LISTS, StoredList
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import AnswersReader
from marketing_platform.stores.registry import Stores


class Audience:
    """One release; open while it is entered."""

    def __init__(self, stores: Stores, manifest: Manifest) -> None:
        self.manifest = manifest
        self._stores = stores
        self._open = ExitStack()
        self._readers: dict[str, AnswersReader] = {}
        self.experiments = Experiments(Declarations(), {})

    def __enter__(self) -> Self:
        """Open what is asked user by user; UnknownName when the release was made without it."""
        with ExitStack() as opening:
            for kind in (PEOPLE, PRODUCT_LISTS):
                if kind not in self.manifest.answers:
                    raise UnknownName(
                        f"{self.manifest.release_id} was made without {kind}; publish a new release"
                    )
                reader = self._stores.answers.open(self.manifest.answers[kind].name)
                opening.callback(reader.close)
                self._readers[kind] = reader
            self.experiments = open_experiments(self.manifest, self._stores, opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def members(self, segment: str) -> list[str]:
        """The users of a segment, in the order of their ids; UnknownName for a release without segments."""
        if MEMBERS not in self.manifest.tables:
            raise UnknownName(f"{self.manifest.release_id} was made without segments; publish a new release")
        ask = ask_release(self._stores.warehouse, self.manifest)
        return ask(MEMBERS_SQL, [MEMBERS], {"segment": segment})["user_id"].to_pylist()

    def person(self, user_id: str) -> Person | None:
        """What is known of a user; None when the release does not know them."""
        found = self._readers[PEOPLE].get(user_id)
        return None if found is None else Person.read(found)

    def products(self, user_id: str) -> StoredList | None:
        """What is recommended to a user, with what may have to be left out."""
        found = self._readers[PRODUCT_LISTS].get(user_id)
        return None if found is None else StoredList.read(found)
