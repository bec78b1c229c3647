"""`email`: what is declared, one e-mail to look at, a campaign sent, what became of it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.assets.emails import email_sends
from marketing_platform.defs.housekeeping import erase_users
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Finished, command
from marketing_platform_tests.mailing.installation import Installation, eml_files, somebody

_EXPERIMENT = """
experiment: {name}
hypothesis: Louder is better.
surface: email
about: {about}
control: control
arms: [{{arm: control, weight: 1}}, {{arm: loud, weight: 1}}]
starts: 2026-01-01
metric: click
within_days: 7
"""
_QUIET = 'quiet_hours: {from: "21:00", until: "08:00"}'


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Two people who may get e-mails at any hour, one who may not; a release of this minute serves."""
    shutil.copytree(PROJECT_DIR / "templates", tmp_path / "templates")
    sending = tmp_path / "templates" / "email" / "sending.yaml"
    assert _QUIET in sending.read_text()
    sending.write_text(sending.read_text().replace(_QUIET, 'quiet_hours: {from: "00:00", until: "00:00"}'))
    monkeypatch.setenv("MARKETING_TEMPLATES_DIR", str(tmp_path / "templates"))
    people = [somebody(0), somebody(1), somebody(2, consent=False)]
    made = Installation(
        tmp_path / "data", people, {"loyal": ["u-0", "u-1", "u-2"]}, made_at=datetime.now(UTC)
    )
    made.records.shelf.publish(made.written(), expected=None)
    return made


def said(installation: Installation, *arguments: str) -> Finished:
    finished = command("email", *arguments, data_dir=str(installation.data_dir))
    assert finished.code == 0, finished.err
    return finished


def test_it_says_what_is_declared(installation: Installation, tmp_path: Path) -> None:
    assert said(installation, "validate", "--json").document == {"templates": 3, "campaigns": 3, "errors": []}
    declared = said(installation, "templates", "--json").document
    assert declared["templates"]["thanks"]["locales"] == ["en", "de"]
    assert "weekly_picks" in said(installation, "templates").out
    (tmp_path / "templates" / "email" / "thanks" / "body.de.txt").write_text("{{ nope }}")
    wrong = command("email", "validate", data_dir=str(installation.data_dir))
    assert wrong.code == 1
    assert "body.de.txt:1: expected one of" in wrong.out.replace("\n", "")


def test_names_that_nobody_declares_are_told(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaigns = tmp_path / "templates" / "email" / "campaigns.yaml"
    campaigns.write_text(campaigns.read_text().replace("segment: loyal,", "segment: loyals,"))
    shutil.copytree(PROJECT_DIR / "experiments", tmp_path / "experiments")
    for name, about in (("subjects", "weekly_picks"), ("others", "nope")):
        file = tmp_path / "experiments" / f"{name}.yaml"
        file.write_text(_EXPERIMENT.format(name=name, about=about))
    monkeypatch.setenv("MARKETING_EXPERIMENTS_DIR", str(tmp_path / "experiments"))
    found = command("email", "validate", "--json", data_dir=str(installation.data_dir))
    assert (found.code, found.document["errors"]) == (
        1,
        [
            "campaign weekly_picks: there is no segment 'loyals' (did you mean 'loyal'?)",
            "campaign thanks: there is no segment 'loyals' (did you mean 'loyal'?)",
            "experiment others: there is no template 'nope'",
            "experiment subjects: weekly_picks has no variant loud; it has control, product_first",
        ],
    )
    unsent = command("email", "send", "weekly_picks", data_dir=str(installation.data_dir))
    assert "there is no segment 'loyals'" in unsent.err


def test_one_e_mail_can_be_looked_at(installation: Installation, tmp_path: Path) -> None:
    shown = said(
        installation,
        "render",
        "win_back",
        "--user",
        "u-2",
        "--locale",
        "de",
        "--output",
        str(tmp_path / "out"),
    )
    assert "Lange nichts gehört, Ada" in shown.out
    assert '<html lang="de"' in (tmp_path / "out" / "win_back.html").read_text()
    document = said(
        installation, "render", "win_back", "--user", "u-0", "--variant", "offer_first", "--json"
    ).document
    assert document["subject"] == "Free delivery until Sunday"
    unknown = command("email", "render", "thanks", "--user", "nobody", data_dir=str(installation.data_dir))
    assert (unknown.code, "knows no user 'nobody'" in unknown.err) == (1, True)


def test_a_campaign_is_sent_once_and_what_became_of_it_is_told(installation: Installation) -> None:
    dry = said(installation, "send", "weekly_picks", "--dry-run", "--json").document
    assert (dry["ready"], dry["sent"], dry["left_out"]) == (2, 0, {"no_consent": 1})
    assert "would be sent" in said(installation, "send", "weekly_picks", "--dry-run").out
    assert said(installation, "send", "weekly_picks", "--json").document["sent"] == 2
    again = said(installation, "send", "weekly_picks").out
    assert "sent_before" in again
    assert len(eml_files(installation.data_dir)) == 2
    sends = said(installation, "sends", "--state", "sent", "--campaign", "weekly_picks", "--json").document
    assert {one["user_id"] for one in sends} == {"u-0", "u-1"}
    assert "u-0" in said(installation, "sends").out


def test_who_unsubscribed_can_come_back(installation: Installation) -> None:
    installation.records.mail.unsubscribe("u-0", now=datetime.now(UTC))
    assert said(installation, "send", "weekly_picks", "--json").document["sent"] == 1
    said(installation, "resubscribe", "u-0")
    assert said(installation, "send", "weekly_picks", "--json").document["sent"] == 1
    never = command("email", "resubscribe", "u-0", data_dir=str(installation.data_dir))
    assert (never.code, "has not unsubscribed" in never.err) == (1, True)


def test_a_run_that_had_to_stop_says_so(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("TRANSPORT", "smtp"),
        ("SENDER", "news@shop.example.com"),
        ("PUBLIC_URL", "https://api.shop.example.com"),
        ("PORT", "1"),
        ("TLS", "none"),
    ):
        monkeypatch.setenv(f"MARKETING_MAIL_{name}", value)
    stopped = command("email", "send", "weekly_picks", data_dir=str(installation.data_dir))
    assert stopped.code == 1
    assert "takes no e-mail" in stopped.err
    unknown = command("email", "send", "weekly", data_dir=str(installation.data_dir))
    assert "did you mean 'weekly_picks'" in unknown.err


def test_the_asset_sends_what_is_scheduled(installation: Installation) -> None:
    settings = Settings(data_dir=installation.data_dir).model_copy(update={"profile": "embedded"})
    resources = {"settings": settings, "stores": open_stores(settings)}

    def materialized(config: dict[str, object]) -> dict[str, object]:
        done = dg.materialize(
            [email_sends], resources=resources, run_config={"ops": {"email_sends": {"config": config}}}
        )
        (made,) = done.asset_materializations_for_node("email_sends")
        return {name: value.value for name, value in made.metadata.items()}

    assert materialized({"dry_run": True})["sent"] == 0
    first = materialized({})
    assert first["sent"] == 2
    assert "no_consent" in str(first["left_out"])
    assert materialized({"campaigns": ["weekly_picks"]})["sent"] == 0


def test_erasing_a_person_removes_what_they_were_sent(installation: Installation) -> None:
    assert said(installation, "send", "weekly_picks", "--json").document["sent"] == 2
    records, settings = installation.records, installation.settings
    asked = records.erasures.ask("u-0", who="t", now=datetime.now(UTC))
    with records.writer.held() as session:
        resources = {
            "settings": settings,
            "stores": open_stores(settings),
            "ledger": records.ledger,
            "erasures": records.erasures,
            "mail": records.mail,
            "writer": session,
        }
        assert erase_users.execute_in_process(resources=resources).success
    assert {one.send.user_id for one in records.mail.sends()} == {"u-1"}
    assert ("mail", "sends", 1) in [
        (place.place, place.name, place.records) for place in records.erasures.get(asked.erasure_id)[1]
    ]
