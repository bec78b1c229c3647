"""Items to learn from: what tables say of products or campaigns, as it was known at a moment.

What is asked of tables is declared per kind (`item_kinds.py`). What is learned is in `families`, what
is made of it for users in `item_batches.py`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from marketing_platform.encoders.messages import SAID, vector_matrix
from marketing_platform.recommenders.evaluation.features import with_texts
from marketing_platform.recommenders.evaluation.splits import Split, folds, recent_split
from marketing_platform.recommenders.item_kinds import ItemKind
from marketing_platform.recommenders.tastes import Messages
from marketing_platform.recommenders.training import Links, Matrix, Training, places_of, training_of

# What a warehouse is asked: a query over logical tables.
Ask = Callable[[str], pa.Table]

_USERS = "SELECT user_id, marketing_consent FROM users"
_TEXTS = "SELECT text, text_embedding FROM text_embeddings WHERE NOT wordless ORDER BY text"

# What is held out to be found, the newest occurrences, and how much history learning needs before that.
HELD_OUT_DAYS = 28.0
_LEAST_HISTORY = 3 * HELD_OUT_DAYS
_FOLDS = 5
_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Statements:
    """What users said or did that leads over a node and a category to items: arrays, oldest first."""

    users: np.ndarray  # rows of the training
    nodes: np.ndarray  # numbers in `names`
    names: Mapping[str, str]  # of nodes, in ascending order of id; the id where there is no name
    categories: np.ndarray  # numbers in `Items.categories`, -1 where no item has it
    weights: np.ndarray  # not above zero: the user took it back
    days_ago: np.ndarray  # before the newest occurrence; below zero after it


@dataclass(frozen=True)
class Items:
    """What is known of the items of a kind and of who took them."""

    kind: ItemKind
    training: Training  # as of now
    names: Sequence[str]  # in order of `training.items`; the id where there is no name
    categories: Sequence[str]  # the names behind `training.categories`
    statements: Mapping[str, Statements]  # by the kind of node
    messages: Messages | None  # None where no item has a text to compare them with
    attributes: Mapping[str, np.ndarray]  # by column of the table: one value per item, None where missing
    opted_out: np.ndarray  # bool per user: agreed to no marketing
    # What people suppressed (`suppressing.py`); None where nobody did.
    hidden: np.ndarray | None = None  # bool per item
    blocked: Matrix | None = None  # users x items, CSR

    @property
    def category_of(self) -> dict[str, str | None]:
        """The category of each item, by id."""
        ids, categories = self.training.items.tolist(), self.attributes["category"].tolist()
        return dict(zip(ids, categories, strict=True))

    def held_out(self, *, seed: int) -> tuple[Split, Split, str]:
        """What is judged by, what the blend is learned on (all of it known before), and in words how.

        The newest 28 days and the 28 before them, or where history is too short for that, a fifth of
        each user's items at random.
        """
        given = self.training.occurrences
        if given is not None and len(given.days_ago) and given.days_ago.max() >= _LEAST_HISTORY:
            outer, inner = (self._recent(days) for days in (0.0, HELD_OUT_DAYS))
            if outer.later.nnz and inner.later.nnz:
                how = f"the {self.kind.name} users {self.kind.words.took} within {HELD_OUT_DAYS:.0f} days"
                return outer, inner, how
        outer = folds(self.training, count=_FOLDS, seed=seed)[0]
        inner = folds(outer.learn, count=_FOLDS, seed=seed)[0]
        noun = self.kind.words.noun
        return outer, inner, f"one in {_FOLDS} of each user's {noun}s, drawn at random: history is short"

    def _recent(self, days_before_now: float) -> Split:
        """The 28 days that ended `days_before_now`; what is learned from was known before them."""
        base = self.training.before(days_before_now) if days_before_now else self.training
        split = recent_split(base, days=HELD_OUT_DAYS)
        days = days_before_now + HELD_OUT_DAYS
        return Split(_as_of(split.learn, self.categories, self.statements, self.messages, days), split.later)


def items_of(kind: ItemKind, ask: Ask, *, dim: int) -> Items:
    """Everything from the tables that the kind reads; `dim` is the length of the vectors of texts.

    Raises InputError when an amount is not finite.
    """
    taken, listed, people = ask(kind.takings), ask(kind.listed), ask(_USERS)
    moments = _seconds(taken["taken_at"])
    training = training_of(
        taken["user_id"],
        taken["item_id"],
        taken["amount"].to_numpy(),
        moments,
        all_users=people["user_id"],
        all_items=listed[kind.id_column],
    )
    attributes = _in_order(training.items, listed, kind.id_column)
    now = float(moments.max()) if len(moments) else 0.0
    training, messages = _with_meanings(training, attributes.pop("said"), ask, now, dim)
    categories = sorted({one for one in attributes["category"] if one is not None})
    if categories:
        training = replace(training, categories=places_of(attributes["category"], categories))
    statements = {
        node: _statements(ask(sql), training.users, categories, now) for node, sql in kind.statements.items()
    }
    refused = people.filter(pc.invert(people["marketing_consent"]))["user_id"]
    return Items(
        kind=kind,
        training=_as_of(training, categories, statements, messages, -np.inf),
        names=[name or item for name, item in zip(attributes["name"], training.items, strict=True)],
        categories=categories,
        statements=statements,
        messages=messages,
        attributes=attributes,
        opted_out=places_of(training.users, refused) >= 0,
    )


def _in_order(items: np.ndarray, listed: pa.Table, id_column: str) -> dict[str, np.ndarray]:
    """Every column with one value per item, None where the item is not listed."""
    place = {item: at for at, item in enumerate(listed[id_column].to_pylist())}
    rows = [place.get(item) for item in items]
    found: dict[str, np.ndarray] = {}
    for name in listed.column_names:
        values = listed[name].to_pylist()
        found[name] = np.empty(len(items), object)
        found[name][:] = [None if row is None else values[row] for row in rows]
    return found


def _with_meanings(
    training: Training, said: np.ndarray, ask: Ask, now: float, dim: int
) -> tuple[Training, Messages | None]:
    """The training with the meaning of each item's text, and what users wrote in the same space."""
    given = ask(_TEXTS)
    row = places_of(said, given["text"])
    described = np.flatnonzero(row >= 0)
    if not len(described):
        return training, None
    vectors = vector_matrix(given["text_embedding"], dim=dim)
    training = with_texts(training, training.items[described].tolist(), vectors[row[described]])
    written = ask(SAID)
    users, texts = places_of(written["user_id"], training.users), places_of(written["text"], given["text"])
    known = np.flatnonzero((users >= 0) & (texts >= 0))
    return training, Messages(
        users=users[known],
        texts=texts[known],
        days_ago=(now - _seconds(written["known_at"])[known]) / _SECONDS_PER_DAY,
        vectors=vectors,
    )


def _as_of(
    training: Training,
    categories: Sequence[str],
    statements: Mapping[str, Statements],
    messages: Messages | None,
    days: float,
) -> Training:
    """The training with the links and tastes known `days` before now."""
    return replace(
        training,
        links=_links(training, categories, statements, days),
        tastes=None if messages is None else messages.tastes(len(training.users), days),
    )


def _statements(rows: pa.Table, users: np.ndarray, categories: Sequence[str], now: float) -> Statements:
    named = rows.filter(pc.is_in(rows["user_id"], pa.array(users, pa.string())))
    coded = named["node"].combine_chunks().dictionary_encode()
    ids = sorted(coded.dictionary.to_pylist())
    numbers = places_of(coded.dictionary, ids)
    nodes = numbers[coded.indices.to_numpy()]
    newest = np.zeros(len(ids), np.int64)
    newest[nodes] = np.arange(len(nodes))
    called = named["name"].take(pa.array(newest)).to_pylist()
    return Statements(
        users=places_of(named["user_id"], users),
        nodes=nodes,
        names={node: name or node for node, name in zip(ids, called, strict=True)},
        categories=places_of(named["category"], categories),
        weights=named["weight"].to_numpy(),
        days_ago=(now - _seconds(named["known_at"])) / _SECONDS_PER_DAY,
    )


def _links(
    training: Training, categories: Sequence[str], statements: Mapping[str, Statements], days: float
) -> dict[str, Links]:
    """The ways known `days` before now; a kind of node that leads nowhere is left out."""
    if training.categories is None:
        return {}
    known = np.flatnonzero(training.categories >= 0)
    of_category = sparse.csr_matrix(
        (np.ones(len(known)), (training.categories[known], known)),
        shape=(len(categories), len(training.items)),
    )
    found = {
        kind: _links_of(len(training.users), of_category, given, days) for kind, given in statements.items()
    }
    return {kind: links for kind, links in found.items() if links.of_users.nnz}


def _links_of(users: int, of_category: Matrix, given: Statements, days: float) -> Links:
    known = np.flatnonzero((given.days_ago >= days) & (given.categories >= 0))
    user, node = given.users[known], given.nodes[known]
    category = np.full(len(given.names), -1, np.int64)
    category[node] = given.categories[known]  # of the newest statement, as everything here
    pairs = user * np.int64(len(given.names)) + node
    newest = len(pairs) - 1 - np.unique(pairs[::-1], return_index=True)[1]
    newest = newest[given.weights[known][newest] > 0]
    met = np.flatnonzero(category >= 0)
    number = np.cumsum(category >= 0) - 1
    of_users = sparse.csr_matrix(
        (given.weights[known][newest], (user[newest], number[node[newest]])), shape=(users, len(met))
    )
    names = list(given.names)
    return Links([names[at] for at in met.tolist()], of_users, of_category[category[met]])


def _seconds(moments: pa.ChunkedArray) -> np.ndarray:
    """Unix time; what has no moment was always known."""
    micros = moments.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds = micros.to_numpy(zero_copy_only=False).astype(np.float64) / 1e6
    return np.where(np.isnan(seconds), -np.inf, seconds)
