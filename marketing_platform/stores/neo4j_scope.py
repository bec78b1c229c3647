"""Cypher that sees one graph among many in one database, by giving every label the graph's own name.

`MATCH (u:User)` becomes ``MATCH (u:`User__3f9a`)``. Relations never leave their graph, so a pattern with one
such label, or a variable bound by one, stays inside it; a pattern without is refused, as is everything
else that could look around: no query that this module lets through can see another graph. Why it is
done like this: docs/decisions/0010-neo4j-scope.md.

This is no Cypher parser. It knows what text, comments, brackets, labels and clauses look like;
whether the rest is Cypher is for Neo4j to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile

from marketing_platform.stores.graph_values import quoted

_TOKEN = re.compile(
    r"""
    (?P<blank>   \s+ | //[^\n]* | /\*.*?\*/ )
  | (?P<text>    '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" )
  | (?P<name>    `(?:``|[^`])+` | \w+ )
  | (?P<param>   \$ (?: `(?:``|[^`])+` | \w+ ) )
  | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ENDS_A_MATCH = {
    *("CALL", "CREATE", "DELETE", "DETACH", "FOREACH", "LIMIT", "LOAD", "MATCH", "MERGE", "OPTIONAL"),
    *("OFFSET", "ORDER", "REMOVE", "RETURN", "SET", "SKIP", "UNION", "UNWIND", "USE", "USING"),
    *("WHERE", "WITH"),
}
_FORGETS_VARIABLES = {"WITH", "UNION"}
_LOOKS_AROUND = {"CALL", "FINISH", "FOREACH", "LOAD", "SHOW", "USE"}
_SUBQUERIES = {"EXISTS", "COUNT", "COLLECT"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        """The token as a keyword would be written; empty for anything that cannot be one."""
        return self.text.upper() if self.kind == "name" else ""


@dataclass
class _Block:
    """What is open at a point of the query: a bracket, or the query itself."""

    opener: str  # one of ( [ { — or `query`, for the whole and for subqueries
    known: set[str] = field(default_factory=set[str])  # variables that belong to the graph for sure
    matching: bool = False
    anchored: bool = True  # whether the pattern at hand has a label or a known variable
    met: set[str] = field(default_factory=set[str])  # variables of the pattern at hand


@lru_cache(maxsize=512)
def scoped(query: str, graph: str) -> str:
    """The query with every label in it narrowed to those of `graph`.

    ValueError when the query might see another graph: says what to write instead.
    """
    return _Rewriting(query, graph).run()


def scoped_label(label: str, graph: str) -> str:
    """The label, as Cypher text, that the nodes of `graph` carry instead of `label`."""
    return quoted(f"{label}__{graph}")


class _Rewriting:
    """One pass over the tokens of one query."""

    def __init__(self, query: str, graph: str) -> None:
        self._query = query
        self._graph = graph
        self._tokens = [_Token(str(found.lastgroup), found[0]) for found in _TOKEN.finditer(query)]
        self._at = [place for place, token in enumerate(self._tokens) if token.kind != "blank"]
        self._blocks = [_Block("query")]

    def run(self) -> str:
        """The rewritten text."""
        if "\\u" in self._query:  # Neo4j replaces such escapes before it reads brackets and quotes
            raise self._refusal("write characters as they are")
        place = 0
        while place < len(self._at):
            place = self._step(place)
        if len(self._blocks) != 1:
            raise self._refusal(f"{self._blocks[-1].opener} is not closed")
        self._end_pattern(self._blocks[0])
        return "".join(token.text for token in self._tokens)

    def _token(self, place: int) -> _Token:
        return self._tokens[self._at[place]] if 0 <= place < len(self._at) else _Token("end", "")

    def _step(self, place: int) -> int:
        token = self._token(place)
        if token.text in _BRACKETS:
            self._open(place)
        elif token.text in _BRACKETS.values():
            self._close(token.text)
        elif token.text == ":" and self._blocks[-1].opener in {"(", "query"}:
            return self._labels(place)
        elif token.text == "," and self._blocks[-1].matching:
            self._end_pattern(self._blocks[-1])
            self._blocks[-1].anchored = False
        elif token.kind == "name":
            self._name(place)
        elif token.text in {"-", "<"} and self._token(place - 1).text == ")":
            self._arrow(place)
        return place + 1

    def _open(self, place: int) -> None:
        opener = self._token(place).text
        if opener == "{" and self._token(place - 1).word in _SUBQUERIES:
            if self._token(place + 1).word != "MATCH":
                raise self._refusal("begin what stands in EXISTS { }, COUNT { } and COLLECT { } with MATCH")
            self._blocks.append(_Block("query", known=set(self._block("query").known)))
        else:
            self._blocks.append(_Block(opener))

    def _close(self, closer: str) -> None:
        block = self._blocks.pop()
        if not self._blocks or (_BRACKETS.get(block.opener) or "}") != closer:
            raise self._refusal(f"{closer} closes nothing")
        if block.opener == "query":
            self._end_pattern(block)

    def _name(self, place: int) -> None:
        token, before = self._token(place), self._token(place - 1)
        if before.text == ".":  # a property
            return
        query = self._block("query")
        if self._blocks[-1] is query:
            self._clause(token.word, query)
        if token.word == "IS" and self._token(place + 1).word not in {"NULL", "NOT", "NORMALIZED"}:
            raise self._refusal("write a label with a colon")
        if token.word == "WHERE" and query.matching:
            raise self._refusal("write WHERE behind the pattern, not in it")
        if before.text == "(" and self._in_pattern():
            query.met.add(token.text)
            query.anchored |= token.text in query.known

    def _clause(self, word: str, query: _Block) -> None:
        if word in _LOOKS_AROUND:
            raise self._refusal(f"{word} is not for readers, and no name for a variable")
        if word in _ENDS_A_MATCH:
            self._end_pattern(query)
            query.matching = False
        if word in _FORGETS_VARIABLES:
            query.known.clear()
        if word == "MATCH":
            query.matching, query.anchored = True, False

    def _labels(self, place: int) -> int:
        """Rewrite a label, or several joined by | & or a colon; returns the place behind them."""
        query = self._block("query")
        while True:
            name = self._token(place + 1)
            if name.kind != "name":
                raise self._refusal("after a colon, write labels by name, joined by & or |")
            name.text = scoped_label(name.text.strip("`"), self._graph)
            query.anchored |= self._in_pattern()
            place += 2
            if self._token(place).text not in {"|", "&", ":"}:
                return place

    def _arrow(self, place: int) -> None:
        """Patterns outside MATCH know no variables of their own, but may look at the whole database."""
        text = "".join(self._token(place + ahead).text for ahead in range(3))
        drawn = text.startswith(("-[", "--", "<-[", "<--"))
        if drawn and not self._block("query").matching:
            raise self._refusal("write a pattern in a condition as EXISTS { MATCH … }")

    def _in_pattern(self) -> bool:
        """Whether a node of a MATCH stands here, not a value that a property must have."""
        inner = takewhile(lambda block: block.opener != "query", reversed(self._blocks))
        return self._block("query").matching and {block.opener for block in inner} == {"("}

    def _end_pattern(self, query: _Block) -> None:
        if query.matching and not query.anchored:
            raise self._refusal("give a node in each pattern a label, or a variable of this query part")
        if query.matching:
            query.known |= query.met
        query.met.clear()

    def _block(self, opener: str) -> _Block:
        return next(block for block in reversed(self._blocks) if block.opener == opener)

    def _refusal(self, advice: str) -> ValueError:
        return ValueError(f"this query cannot be kept inside one graph: {advice}\n{self._query}")
