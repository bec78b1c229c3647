"""Segments on the real jobs: the release, the command line and the API say the same of them."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketing_platform.defs.execution import open_instance
from marketing_platform.defs.io_managers import latest_figure
from marketing_platform.releases.overrides import Wish
from marketing_platform.releases.records import open_records
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long


def counted(installation: Installation) -> dict[str, int]:
    rows = installation.query("SELECT segment, count(*) FROM segment_members GROUP BY segment")
    return {str(name): int(users) for name, users in rows}


def test_the_release_the_command_and_the_api_agree(installation: Installation) -> None:
    found = counted(installation)
    assert found["loyal"]
    (answer, page) = installation.answers("/api/v1/segments", "/api/v1/segments/loyal/users?limit=1000")
    assert {one["segment"]: one["users"] for one in answer["items"] if one["users"]} == found
    members = [
        user
        for (user,) in installation.query(
            "SELECT user_id FROM segment_members WHERE segment = 'loyal' ORDER BY user_id"
        )
    ]
    assert [one["user_id"] for one in page["items"]] == members
    for name, users in found.items():
        previewed = installation.command("segments", "preview", name, "--json").document
        assert previewed["users"] == users
    assert installation.command("segments", "preview", "loyal", "--json").document["sample"] == members[:10]


def test_a_list_for_a_platform_has_who_agreed_until_they_opt_out(
    installation: Installation, tmp_path: Path
) -> None:
    listed = installation.query(
        "SELECT user_id, email FROM segment_members JOIN users USING (user_id)"
        " WHERE segment = 'loyal' AND marketing_consent AND email IS NOT NULL ORDER BY user_id"
    )
    file = tmp_path / "list.csv"
    asked = ["segments", "export", "loyal", "--platform", "own", "--output", str(file), "--json"]
    assert installation.command(*asked).document["exported"] == len(listed) > 1
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["user_id"] for row in rows] == [user for user, _ in listed]
    assert rows[0]["email_sha256"] == hashlib.sha256(str(listed[0][1]).lower().encode()).hexdigest()
    assert file.stat().st_mode & 0o077 == 0
    records, now = open_records(installation.settings), datetime.now(UTC)
    records.overrides.suppress(Wish("opted_out", user_id=str(listed[0][0])), who="test", now=now)
    records.erasures.ask(str(listed[1][0]), who="test", now=now)
    again = installation.command(*asked).document
    assert (again["exported"], again["left_out"]) == (len(listed) - 2, 2)


def test_a_segment_that_loses_all_its_users_is_a_warning(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = installation.release()
    (tmp_path / "loyal.yaml").write_text("{description: Nobody now., who: {user: {country: Nowhere}}}")
    monkeypatch.setenv("MARKETING_SEGMENTS_DIR", str(tmp_path))
    settings = installation.settings.model_copy(update={"segments_dir": tmp_path})
    Installation(settings).run()
    assert installation.release().release_id != before.release_id  # the release goes on
    check = next(one for one in installation.release().checks if one.check == "emptied")
    assert (check.passed, check.blocking) == (False, False)
    with open_instance(settings) as instance:
        assert latest_figure(instance, "segments", "emptied") == 1


def test_commands_say_what_is_wrong(installation: Installation, tmp_path: Path) -> None:
    assert len(installation.command("segments", "list", "--json").document["segments"]) == 4
    (tmp_path / "odd.yaml").write_text("{description: d, who: {usr: 1}}")
    wrong = installation.command("segments", "validate", "--segments-dir", str(tmp_path), "--json")
    assert wrong.code == 1
    assert "odd.yaml:1: who.usr: expected one of all, any," in wrong.document["errors"][0]
    unknown = installation.command("segments", "preview", "nobody")
    assert (unknown.code, "no segment 'nobody' is declared" in unknown.err) == (1, True)
    nowhere = installation.command(
        "segments", "export", "loyal", "--platform", "own", "--output", str(tmp_path / "no" / "list.csv")
    )
    assert (nowhere.code, "cannot be written" in nowhere.err) == (1, True)
