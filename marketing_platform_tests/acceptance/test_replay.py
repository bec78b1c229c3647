"""A batch judged again from its raw records ends where one ends that is read from the kept object."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from marketing_platform.releases.ledger import State
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Finished, Installation
from marketing_platform_tests.acceptance.landed import conversation, csv

pytestmark = pytest.mark.long

_DECLARED = """
source: german
description: What users did, by day.
path: german/*.csv
format: {{type: csv}}
tables:
  events:
    columns: {{event_id: event_id, user_id: user_id, message: message, timestamp: {timestamp},
              campaign_id: campaign, event_type: event_type, channel: channel}}
"""


def declare(installation: Installation, timestamp: str) -> None:
    installation.settings.sources_dir.mkdir(exist_ok=True)
    (installation.settings.sources_dir / "german.yaml").write_text(_DECLARED.format(timestamp=timestamp))


def mended(installation: Installation, batch: str, *options: str) -> Finished:
    """Replay the batch with a source that reads its days."""
    declare(installation, '{field: timestamp, format: "%d.%m.%Y"}')
    return installation.command("quarantine", "replay", batch, "--json", *options)


def test_raw_records_take_the_place_of_an_object_that_is_gone(tmp_path: Path) -> None:
    from_object = Installation(Settings(data_dir=tmp_path / "object", sources_dir=tmp_path / "sources"))
    lines = [re.sub(r"2026-(\d\d)-(\d\d)T[^,]*", r"\2.\1.2026", line) for line in conversation("g")]
    declare(from_object, "timestamp")
    from_object.land("german/events.csv", csv(lines))
    from_object.command("run")
    held = from_object.batch("german/events.csv")
    assert held.state is State.HELD
    shutil.copytree(tmp_path / "object", tmp_path / "raw", symlinks=True)
    from_raw = Installation(Settings(data_dir=tmp_path / "raw", sources_dir=tmp_path / "sources"))
    (tmp_path / "raw" / "kept" / held.content_hash).unlink()
    shutil.rmtree(from_raw.settings.landing_dir)
    from_raw.settings.landing_dir.mkdir()

    refused = mended(from_raw, held.batch_id, "--from", "object")
    assert refused.code == 1
    assert "no kept object" in refused.err
    told, told_raw = mended(from_object, held.batch_id), mended(from_raw, held.batch_id)
    assert (told.code, told_raw.code) == (0, 0), told.err + told_raw.err
    assert told_raw.document["rows_valid"] == len(lines)
    assert from_raw.content() == from_object.content()

    documents = open_stores(from_raw.settings).documents
    documents.drop(held.batch_id)
    nothing = from_raw.command("quarantine", "replay", held.batch_id)
    assert nothing.code == 1
    assert "land its object german/events.csv again" in nothing.err
    # As long as the object is there, which one is read is a choice.
    assert mended(from_object, held.batch_id, "--from", "raw").code == 0
    assert from_object.raw_rows(held.batch_id) == len(lines)
