"""Features on the real jobs: what the API answers is what a training set has at that moment."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.features.answers import FeaturesAnswer
from marketing_platform.features.asking import ask_release
from marketing_platform.features.spec import ENTITIES, Entity
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long


def answers(installation: Installation) -> dict[str, FeaturesAnswer]:
    """What the release that serves answers about each user."""
    name = installation.release().answers["user_features_lookup"].name
    reader = open_stores(installation.settings).answers.open(name)
    users = [user for (user,) in installation.query("SELECT user_id FROM users")]
    found = {user: FeaturesAnswer.model_validate_json(reader.get(user) or b"") for user in users}
    reader.close()
    return found


def training_set(installation: Installation, entity: Entity, keys: list[str], at: str) -> pa.Table:
    """What the command writes for these keys at one moment."""
    folder = installation.settings.data_dir
    rows = "".join(f"{key},{at},{number}\n" for number, key in enumerate(keys))
    (folder / "pairs.csv").write_text(f"{entity}_id,at,label\n{rows}", encoding="utf-8")
    asked = ["--entity", entity, "--at", str(folder / "pairs.csv"), "--output", str(folder / "made.parquet")]
    done = installation.command("features", "training-set", *asked, "--json")
    assert done.document["rows"] == len(keys), done.err
    return pq.read_table(folder / "made.parquet")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(value, Decimal) else value


def test_online_and_offline_are_the_same_for_every_user(installation: Installation) -> None:
    online = answers(installation)
    (moment,) = {answer.as_of for answer in online.values()}
    offline = training_set(installation, "user", list(online), moment.isoformat())
    assert offline["label"].to_pylist() == list(range(len(online)))
    assert pq.read_schema(installation.settings.data_dir / "made.parquet").metadata[b"release_id"]
    centroids = 0
    for row in offline.drop_columns(["at", "label"]).to_pylist():
        answer = dict(online[row.pop("user_id")].features)
        meaning, expected = answer.pop("message_centroid"), row.pop("message_centroid")
        assert answer == {name: plain(value) for name, value in row.items()}
        assert (meaning is None) == (expected is None)
        if meaning is not None:
            centroids += 1
            assert np.array_equal(np.float32(meaning), np.float32(expected))
    assert centroids
    assert any(answer.features["spend"] for answer in online.values())


@pytest.mark.parametrize("entity", ENTITIES)
def test_tables_of_a_release_are_a_training_set_of_now(installation: Installation, entity: Entity) -> None:
    (moment,) = {answer.as_of for answer in answers(installation).values()}
    entry = installation.release().tables[f"{entity}_features"]
    stored = installation.query(f"SELECT * FROM {entity}_features ORDER BY {entity}_id")
    made = training_set(installation, entity, [str(row[0]) for row in stored], moment.isoformat())
    assert made.select(list(entry.columns)).to_pylist() == [
        dict(zip(entry.columns, row, strict=True)) for row in stored
    ]


def test_the_centroid_of_now_is_the_vector_of_the_user(installation: Installation) -> None:
    vectors = dict(installation.query("SELECT user_id, vector FROM user_vectors"))
    found = {user: answer.features["message_centroid"] for user, answer in answers(installation).items()}
    assert {user for user, vector in found.items() if vector} == set(vectors)
    for user, vector in vectors.items():
        assert np.array_equal(np.float32(found[user]), np.float32(vector))


def test_the_api_answers_from_that_release(installation: Installation) -> None:
    user = next(iter(answers(installation)))
    (answer, unknown) = installation.answers(f"/api/v1/users/{user}/features", "/api/v1/users/x/features")
    assert answer["release_id"] == installation.release().release_id
    assert answer["features"]["events"] == answers(installation)[user].features["events"]
    assert unknown["error_code"] == "unknown_user"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as CSV"),
        ("user_id,at\n", "no pairs of user_id and at"),
        ("user,when\nu,1\n", "has no column user_id and no at; its first line names user, when"),
        ("user_id,at\nu-000001,soon\n", "row 1: at is 'soon'; give a moment such as"),
        ("user_id,at\nu-000001,2099-01-01\n", "row 1: at is 2099-01-01T00:00:00+00:00, but the data"),
        ("user_id,at\nnobody,2026-01-01\n", "the release knows no user 'nobody'"),
    ],
)
def test_files_that_are_no_pairs(installation: Installation, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "pairs.csv").write_text(content)
    asked = ["--at", str(tmp_path / "pairs.csv"), "--output", str(tmp_path / "made.parquet")]
    done = installation.command("features", "training-set", "--entity", "user", *asked)
    assert done.code == 1
    assert said in done.err
    assert str(tmp_path / "pairs.csv") in done.err
    assert not (tmp_path / "made.parquet").exists()


def test_a_release_made_without_a_table_says_so(installation: Installation) -> None:
    release = installation.release()
    tables = {name: entry for name, entry in release.tables.items() if name != "text_embeddings"}
    older = release.model_copy(update={"tables": tables})
    ask = ask_release(open_stores(installation.settings).warehouse, older)
    assert ask("SELECT count(*) AS n FROM users", ["users"], {})["n"].to_pylist() == [release.totals.users]
    with pytest.raises(UnknownName, match="made without the table 'text_embeddings'"):
        ask("SELECT text FROM text_embeddings", ["text_embeddings"], {})


def test_options_that_name_nothing(installation: Installation, tmp_path: Path) -> None:
    asked = ["--at", str(tmp_path / "none.csv"), "--output", str(tmp_path / "made.parquet")]
    entity = installation.command("features", "training-set", "--entity", "usr", *asked)
    assert "--entity 'usr': expected one of user, campaign, product" in entity.err
    unknown = installation.command("features", "training-set", "--entity", "user", "--features", "a", *asked)
    assert "no feature 'a' of a user; there are: events," in unknown.err
    absent = installation.command("features", "training-set", "--entity", "user", *asked)
    assert "none.csv: there is no such file" in absent.err
