"""`marketing-platform evaluate` on anybody's CSV files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from marketing_platform.cli.app import app
from marketing_platform.errors import InputError

TRAIN = "user_id,item_id\n" + "".join(
    f"u{user},{item}\n" for user in range(12) for item in range(8) if (user + item) % 3
)
TEST = "user_id,item_id\n" + "".join(f"u{user},{(3 - user) % 3}\n" for user in range(12))


def _evaluate(folder: Path, train: str, test: str, *more: str) -> dict[str, object]:
    (folder / "train.csv").write_text(train, encoding="utf-8")
    (folder / "test.csv").write_text(test, encoding="utf-8")
    arguments = [
        "evaluate",
        "--train",
        str(folder / "train.csv"),
        "--test",
        str(folder / "test.csv"),
        "--json",
    ]
    done = CliRunner().invoke(app, [*arguments, *more])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_row_for_every_recommender_and_the_hybrid(tmp_path: Path) -> None:
    told = _evaluate(tmp_path, TRAIN, TEST, "--k", "2,1")
    names = [row["recommender"] for row in told["recommenders"]]
    assert names[-1] == "hybrid"
    assert {"popular", "ease", "slim", "ials", "rp3beta"} <= set(names)
    assert told["left_out"]["trending"] == "needs times"
    for row in told["recommenders"]:
        assert set(row["quality"]) == {"1", "2"}
        assert 0 <= row["quality"]["1"]["ndcg"] <= 1
        assert row["peak_gb"] > 0


def test_times_and_tags_bring_the_families_that_need_them(tmp_path: Path) -> None:
    train = "user_id,item_id,value,timestamp\n" + "".join(
        f"{line},2,{1_700_000_000 + 86_400 * number}\n" for number, line in enumerate(TRAIN.split()[1:])
    )
    (tmp_path / "features.csv").write_text(
        "item_id,tags\n" + "".join(f"{item},kind {item % 2}|all\n" for item in range(8)), encoding="utf-8"
    )
    told = _evaluate(tmp_path, train, TEST, "--features", str(tmp_path / "features.csv"), "--repeats")
    names = {row["recommender"] for row in told["recommenders"]}
    assert {"trending", "repeat", "content", "discovery"} <= names


@pytest.mark.parametrize("more", [(), ("--tune", "1")], ids=["as they are", "tuned"])
def test_who_comes_back_is_learned_where_repeats_are_allowed(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Everybody has a habit and tries every other item once."""
    habits = [(f"u{user}", user % 8, day) for user in range(24) for day in range(0, 60, 5)]
    tried = [(f"u{user}", item, 7 * item) for user in range(24) for item in range(8)]
    train = "user_id,item_id,timestamp\n" + "".join(
        f"{user},{item},{1_700_000_000 + 86_400 * day}\n" for user, item, day in [*habits, *tried]
    )
    test = "user_id,item_id\n" + "".join(f"u{user},{user % 8}\n" for user in range(24))
    told = _evaluate(tmp_path, train, test, "--k", "1", "--repeats", *more)
    assert told["recommenders"][-1]["quality"]["1"]["hit_rate"] == 1


def test_only_candidates_are_ranked(tmp_path: Path) -> None:
    (tmp_path / "candidates.csv").write_text("user_id,item_id\n" + TEST.split("\n", 1)[1], encoding="utf-8")
    told = _evaluate(tmp_path, TRAIN, TEST, "--candidates", str(tmp_path / "candidates.csv"), "--k", "1")
    assert told["recommenders"][-1]["quality"]["1"]["hit_rate"] > 0.9, "one candidate each, the right one"


def test_any_ids_and_a_stranger_in_the_test(tmp_path: Path) -> None:
    train = 'user_id,item_id\n"Ångström, A.",☕\n"Ångström, A.","tea, green"\nb,☕\nc,"tea, green"\nc,🍵\n'
    told = _evaluate(tmp_path, train, "user_id,item_id\nnobody before,☕\nb,🍵\n", "--k", "3")
    assert told["recommenders"][-1]["quality"]["3"]["hit_rate"] == 1


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (
            "user_id,item\na,b\n",
            TEST,
            r"train\.csv: has no column item_id; its first line names user_id, item",
        ),
        ("user_id,item_id\na,\n", TEST, r"train\.csv, row 1: item_id is empty"),
        (
            "user_id,item_id,value\na,b,1\na,c,much\n",
            TEST,
            r"train\.csv, row 2: value is 'much', not a number",
        ),
        ("user_id,item_id,value\na,b,1e999\n", TEST, r"train\.csv, row 1: value is not finite"),
        (
            "user_id,item_id,timestamp\na,b,yesterday\n",
            TEST,
            r"row 1: timestamp is 'yesterday'; give seconds",
        ),
        ("user_id,item_id\na,b,c\n", TEST, r"train\.csv: cannot be read as CSV"),
        (TRAIN, "user_id,item_id\n", "nothing to judge by"),
        (
            "user_id,item_id,user_id\na,b,c\n",
            TEST,
            "its first line names user_id more than once",
        ),
    ],
)
def test_bad_input_is_named(tmp_path: Path, train: str, test: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        _evaluate(tmp_path, train, test)


@pytest.mark.parametrize(
    ("option", "told", "complaint"),
    [
        ("--candidates", "user_id,item_id\n", r"told\.csv: has no candidate for any user of"),
        ("--candidates", "user_id,item_id\nstranger,1\n", r"told\.csv: has no candidate for any user of"),
        ("--features", "item_id,tags\n999,a\n", r"told\.csv: describes no item of the other files"),
        ("--features", "item_id\n1\n", r"told\.csv: has to have either a column text or a column tags"),
    ],
)
def test_a_file_that_says_nothing_of_the_others_is_named(
    tmp_path: Path, option: str, told: str, complaint: str
) -> None:
    (tmp_path / "told.csv").write_text(told, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        _evaluate(tmp_path, TRAIN, TEST, option, str(tmp_path / "told.csv"))


@pytest.mark.parametrize("k", ["0", "5,,", "", "-1", "ten", "1001", "1000000000000"])
def test_lengths_that_no_list_has_are_refused(tmp_path: Path, k: str) -> None:
    with pytest.raises(InputError, match=rf"--k '{k}': (give whole numbers|a list has at)"):
        _evaluate(tmp_path, TRAIN, TEST, "--k", k)


@pytest.mark.parametrize(
    "train",
    [
        "user_id,item_id\na,x\n",  # one user, one item
        "user_id,item_id\na,x\na,y\na,z\n",  # one user
        "user_id,item_id\na,x\nb,x\nc,x\n",  # one item
        "user_id,item_id,value\na,x,3\nb,y,3\nc,x,3\na,x,3\n",  # equal values, a pair twice
        "user_id,item_id,value\na,x,-1\nb,y,1\n",  # below zero: does not count
        "user_id,item_id\n",  # nothing is known
    ],
)
def test_little_data_has_a_result(tmp_path: Path, train: str) -> None:
    told = _evaluate(tmp_path, train, "user_id,item_id\na,x\nb,y\n", "--k", "1")
    assert told["recommenders"][-1]["quality"]["1"]["users"] == 2
