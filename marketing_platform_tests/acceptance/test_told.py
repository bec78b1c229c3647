"""What happens to an installation is told to a receiver on loopback, signed, from the landed file on."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.automations.signing import new_secret
from marketing_platform.sample import write_sample
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.automations.receiver import Receiver, receiving

ADS, DAY, SPENT = "ads/ad_spend_meta.csv", "2026-06-27", 5  # the column of the money
SECRET = new_secret()
DECLARED = """
endpoints:
  - {{name: a, url: '{url}', events: [release.published, release.blocked, batch.quarantined, kpi.anomaly]}}
"""


def dearer(content: str, times: int) -> str:
    """The export with one day's spend `times` as high."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    for row in csv.reader(io.StringIO(content)):
        if row[0] == DAY and row[SPENT].replace(".", "").isdigit():
            row[SPENT] = str(float(row[SPENT]) * times)
        writer.writerow(row)
    return written.getvalue()


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """What arrived, each verified."""
    receiver.verified(SECRET)
    return [json.loads(one.body) for one in receiver.got]


@pytest.mark.long
def test_an_unusual_day_of_a_release_is_told_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_WEBHOOK_SECRET_A", SECRET)
    monkeypatch.setenv("MARKETING_WEBHOOKS_ALLOWED_HOSTS", '["127.0.0.1"]')
    monkeypatch.setenv("MARKETING_AUTOMATIONS_DIR", str(tmp_path))
    here = install(automations_dir=tmp_path)
    write_sample(here.settings.landing_dir, users=40, events=600)
    export = (here.settings.landing_dir / ADS).read_text(encoding="utf-8")
    here.land(ADS, dearer(export, 10))
    with receiving() as receiver:
        (tmp_path / "webhooks.yaml").write_text(DECLARED.format(url=receiver.url))
        first = here.run()["release_id"]
        assert here.command("webhooks", "deliver", "--once").code == 0
        (published,) = (one["data"] for one in told(receiver) if one["type"] == "release.published")
        assert published["release_id"] == first
        unusual = [one["data"] for one in told(receiver) if one["type"] == "kpi.anomaly"]
        assert ("spend", "Meta", DAY, first) in {
            (one["kpi"], one["member"], one["day"], one["release_id"]) for one in unusual
        }
        assert all(one["value"] > one["high"] or one["value"] < one["low"] for one in unusual)

        here.land(ADS, dearer(export, 10) + "one line more\n")
        second = here.run()["release_id"]
        assert second != first
        assert here.command("webhooks", "deliver", "--once").code == 0
        days = Counter(
            (one["data"]["kpi"], one["data"]["dimension"], one["data"]["member"], one["data"]["day"])
            for one in told(receiver)
            if one["type"] == "kpi.anomaly"
        )
        assert set(days.values()) == {1}
        assert {
            one["data"]["release_id"] for one in told(receiver) if one["type"] == "release.published"
        } == {
            first,
            second,
        }
