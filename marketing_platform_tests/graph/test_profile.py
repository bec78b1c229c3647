"""The graph around a user is the same from every graph store, and follows what is declared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from marketing_platform.graph import GraphModel, graph_model
from marketing_platform.graph.profile import Profile, profile_graph
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.protocols import GraphReader, Graphs, NodeSet, RelationSet
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


MODEL = graph_model()

NODES: dict[str, list[dict[str, Any]]] = {
    "User": [{"user_id": "u/1", "name": "Ada"}, {"user_id": "u-2", "name": "Bob"}, {"user_id": "alone"}],
    "Event": [{"record_id": "9f:0", "event_type": "click"}],
    "Campaign": [{"campaign_id": "c-1", "name": "Winter", "category": "Coats"}, {"campaign_id": "c-2"}],
    "Product": [
        {"product_id": "p-1", "name": "Tent", "category": "Tents", "price": 99.5},
        {"product_id": "p-2", "name": "Boot"},
        {"product_id": "p-3", "category": "Tents"},
        {"product_id": "p-4", "name": "Only the other user bought it"},
    ],
    "Interest": [{"name": "Camping ⛺"}],
    "Category": [{"name": "Tents"}, {"name": "Coats"}],
}
RELATIONS: dict[str, list[dict[str, Any]]] = {
    "PERFORMED": [{"source_key": "u/1", "target_key": "9f:0"}],
    "PARTICIPATED_IN": [
        {"source_key": "u/1", "target_key": "c-2", "events": 1, "engagement_score": 0.5, "last_at": WHEN},
        {"source_key": "u/1", "target_key": "c-1", "events": 3, "engagement_score": 2.5, "last_at": WHEN},
    ],
    "PURCHASED": [
        {"source_key": "u/1", "target_key": "p-1", "orders": 1, "revenue": None},
        {"source_key": "u/1", "target_key": "p-2", "orders": 1, "revenue": 10.0},
        {"source_key": "u/1", "target_key": "p-3", "orders": 1, "revenue": 20.0},
        {"source_key": "u-2", "target_key": "p-4", "orders": 9, "revenue": 90.0},
    ],
    "INTERESTED_IN": [{"source_key": "u/1", "target_key": "Camping ⛺", "strength": 0.8, "source": "survey"}],
    "BELONGS_TO": [
        {"source_key": "p-1", "target_key": "Tents"},
        {"source_key": "p-3", "target_key": "Tents"},
    ],
    "PROMOTES": [{"source_key": "c-1", "target_key": "Coats"}],
    "SIMILAR_TO": [{"source_key": "u/1", "target_key": "u-2", "score": 0.9, "common_interests": 2}],
    "COMPLEMENTS": [
        {"source_key": "p-1", "target_key": "p-2", "orders": 9, "lift": 1.5, "leverage": 0.1},
        {"source_key": "p-2", "target_key": "p-1", "orders": 9, "lift": 1.5, "leverage": 0.1},
    ],
}


def _rows(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)


class ProfilesContract:
    def create(self, root: Path) -> Graphs:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def reader(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphReader]:
        store = self.create(tmp_path_factory.mktemp("graphs"))
        labels = [NodeSet(name, _rows(rows, MODEL.label(name).arrow_schema)) for name, rows in NODES.items()]
        relations = [
            RelationSet(each.type, each.source, each.target, _rows(found, MODEL.schema_of(each)))
            for each in MODEL.relations
            if (found := RELATIONS.get(each.type)) is not None
        ]
        store.write("knowledge_graph_3f9a", labels, relations)
        reader = store.open("knowledge_graph_3f9a")
        yield reader
        reader.close()

    def found(self, reader: GraphReader, user: str = "u/1", *, depth: int = 2, limit: int = 50) -> Profile:
        profile = profile_graph(reader, user, depth=depth, limit=limit, held=RELATIONS, model=MODEL)
        assert profile is not None
        return profile

    def test_it_is_all_that_is_around_the_user_the_strongest_first(self, reader: GraphReader):
        profile = self.found(reader)
        assert [(edge.kind, edge.source, edge.target) for edge in profile.edges] == [
            ("PARTICIPATED_IN", "User:u/1", "Campaign:c-1"),
            ("PARTICIPATED_IN", "User:u/1", "Campaign:c-2"),
            ("PURCHASED", "User:u/1", "Product:p-3"),
            ("PURCHASED", "User:u/1", "Product:p-2"),
            ("PURCHASED", "User:u/1", "Product:p-1"),  # nobody knows for how much
            ("INTERESTED_IN", "User:u/1", "Interest:Camping ⛺"),
            ("SIMILAR_TO", "User:u/1", "User:u-2"),
            ("BELONGS_TO", "Product:p-1", "Category:Tents"),
            ("BELONGS_TO", "Product:p-3", "Category:Tents"),
            ("COMPLEMENTS", "Product:p-1", "Product:p-2"),
            ("COMPLEMENTS", "Product:p-2", "Product:p-1"),
            ("PROMOTES", "Campaign:c-1", "Category:Coats"),
        ]
        assert profile.truncated == ()
        nodes = {node.id: node for node in profile.nodes}
        assert len(nodes) == len(profile.nodes)
        assert profile.nodes[0].id == "User:u/1"
        assert {end for edge in profile.edges for end in (edge.source, edge.target)} == set(nodes)
        tent = nodes["Product:p-1"]
        assert tent.kind == "Product"
        assert tent.properties == {"product_id": "p-1", "name": "Tent", "category": "Tents", "price": 99.5}
        assert profile.edges[0].properties == {
            "events": 3,
            "engagement_score": 2.5,
            "first_at": None,
            "last_at": WHEN,
        }

    def test_another_user_is_where_it_ends(self, reader: GraphReader):
        ids = {node.id for node in self.found(reader, depth=3).nodes}
        assert "User:u-2" in ids
        assert "Product:p-4" not in ids
        (other,) = [node for node in self.found(reader).nodes if node.id == "User:u-2"]
        assert other.properties == {"user_id": "u-2", "name": None, "country": None}  # not that it is Bob

    def test_one_step_is_what_the_user_did(self, reader: GraphReader):
        profile = self.found(reader, depth=1)
        assert {edge.source for edge in profile.edges} == {"User:u/1"}
        assert "Category:Tents" not in {node.id for node in profile.nodes}

    def test_of_each_kind_only_so_many_and_it_says_so(self, reader: GraphReader):
        profile = self.found(reader, limit=1)
        assert [edge.target for edge in profile.edges if edge.kind == "PURCHASED"] == ["Product:p-3"]
        assert profile.truncated == ("PARTICIPATED_IN", "PURCHASED")
        assert self.found(reader, limit=3).truncated == ()

    def test_a_user_of_whom_nothing_is_known_is_alone(self, reader: GraphReader):
        profile = self.found(reader, "alone")
        assert [node.id for node in profile.nodes] == ["User:alone"]
        assert profile.nodes[0].properties == {"user_id": "alone", "name": None, "country": None}
        assert profile.edges == ()

    def test_an_unknown_user_has_no_profile(self, reader: GraphReader):
        assert profile_graph(reader, "nobody", depth=2, limit=5, held=RELATIONS, model=MODEL) is None

    def test_a_graph_older_than_a_relation_has_the_others(self, reader: GraphReader):
        held = {"PURCHASED"}  # TARGETED_BY is declared, and not there at all
        profile = profile_graph(reader, "u/1", depth=1, limit=9, held=held, model=MODEL)
        assert profile is not None
        assert {edge.kind for edge in profile.edges} == held


class TestLadybug(ProfilesContract):
    def create(self, root: Path) -> Graphs:
        return LadybugGraphs(root)


if WITH_SERVERS:
    from marketing_platform.stores.graph_neo4j import Neo4jGraphs
    from marketing_platform_tests.servers import neo4j

    class TestNeo4j(ProfilesContract):
        def create(self, root: Path) -> Graphs:
            return Neo4jGraphs(neo4j.emptied(neo4j.settings(shared(neo4j.running).endpoint)))


def test_the_strongest_are_told_by_a_property_that_is_there() -> None:
    own = graph_model().model_dump()
    relation = {**own["relations"][0], "profile": {"most": "nothing"}}
    with pytest.raises(ValidationError, match=r"PERFORMED: profile.most names no property"):
        GraphModel.model_validate({**own, "relations": [relation]})
