"""A campaign reaches those who may get it, each once, whatever happens on the way."""

from __future__ import annotations

import multiprocessing
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import orjson
import pytest

from marketing_platform.content.email.unsubscribing import user_of
from marketing_platform.errors import InputError, MailUnavailable, ReleaseTooOld, UnknownName
from marketing_platform.mailing.audience import Audience
from marketing_platform.mailing.sending import send_campaign
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.overrides import Wish
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.emails.people import person
from marketing_platform_tests.mailing.installation import (
    CAMPAIGN,
    NOON,
    Installation,
    eml_files,
    left_out,
    somebody,
)
from marketing_platform_tests.mailing.smtp import Postbox, by_smtp, smtp_server

SOON, HOUR, DAY = timedelta(seconds=5), timedelta(hours=1), timedelta(days=1)


def of(count: int, data_dir: Path) -> Installation:
    return Installation(data_dir, [somebody(number) for number in range(count)])


def test_without_settings_e_mails_are_files_that_mail_programs_read(tmp_path: Path) -> None:
    installation = of(2, tmp_path)
    report = installation.send()
    assert (report.members, report.sent, report.period, report.stopped) == (2, 2, "2026-W47", None)
    files = eml_files(tmp_path)
    assert len(files) == 2
    message = message_from_bytes(files[0].read_bytes(), policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert message["Subject"] == "Ada, picked for your next days outside"
    link = message["List-Unsubscribe"][1:-1]
    token = link.removeprefix("https://api.example.com/api/v1/unsubscribe/")
    assert user_of(installation.records.mail.signing_key(), token) in {"u-0", "u-1"}
    assert "Product p-1" in message.get_body(("plain",)).get_content()  # pyright: ignore


def test_running_it_again_sends_nothing_twice_and_the_next_period_is_another(tmp_path: Path) -> None:
    installation = of(2, tmp_path)
    installation.send()
    again = installation.send(at=NOON + DAY)
    assert (again.sent, left_out(again)) == (0, {"sent_before": 2})
    installation.made_at = NOON + 6 * DAY
    assert installation.send(at=NOON + 7 * DAY, manifest=_later(installation)).sent == 2


def test_a_dry_run_claims_nothing(tmp_path: Path) -> None:
    installation = of(3, tmp_path)
    report = installation.send(dry_run=True)
    assert (report.ready, report.sent) == (3, 0)
    assert eml_files(tmp_path) == []
    assert installation.records.mail.sends() == []
    assert report.document()["ready"] == 3


def test_who_may_not_get_it_does_not(tmp_path: Path) -> None:
    installation = Installation(
        tmp_path,
        [
            somebody(0),
            somebody(1, consent=False),
            somebody(2, consent=None),
            somebody(3, country="FI"),
            *(somebody(number) for number in range(4, 7)),
            person("u-7", email="no address"),
        ],
        members={"everybody": ["u-0", "u-1", "u-2", "u-3", "u-4", "u-5", "u-6", "u-7", "stranger"]},
    )
    records = installation.records
    records.overrides.suppress(Wish("opted_out", user_id="u-4"), who="t", now=NOON)
    records.erasures.ask("u-5", who="t", now=NOON)
    records.mail.unsubscribe("u-6", now=NOON)
    # Half past eight in the evening in Berlin is half past nine in Helsinki.
    at = NOON.replace(hour=19, minute=30)
    report = installation.send(at=at)
    assert report.sent == 1
    assert left_out(report) == {
        "no_consent": 2,
        "quiet_hours": 1,
        "opted_out": 1,
        "erased": 1,
        "unsubscribed": 1,
        "no_address": 1,
        "unknown_user": 1,
    }
    morning = installation.send(at=NOON + DAY)
    assert morning.sent == 1, "quiet hours end"


def test_nobody_gets_more_than_the_cap(tmp_path: Path) -> None:
    installation = of(1, tmp_path)
    for number in range(4):
        campaign = CAMPAIGN.model_copy(update={"campaign": f"c{number}"})
        report = installation.send(campaign=campaign, at=NOON + number * HOUR)
        assert report.sent == (1 if number < 3 else 0)
    assert left_out(report) == {"frequency_cap": 1}


def test_nothing_is_sent_from_an_old_release_or_one_without_people(tmp_path: Path) -> None:
    installation = of(1, tmp_path)
    with pytest.raises(ReleaseTooOld, match=r"r-1 is 49\.0 hours old, weekly_picks is sent from"):
        installation.send(at=NOON + 2 * DAY)
    manifest = installation.written()
    for without, said in (({"answers": {}}, "without people"), ({"tables": {}}, "without segments")):
        with pytest.raises(UnknownName, match=said):
            installation.send(manifest=manifest.model_copy(update=without))
    assert eml_files(tmp_path) == []


def test_what_was_suppressed_since_the_release_is_not_in_it(tmp_path: Path) -> None:
    installation = of(1, tmp_path)
    hidden = Wish("hidden", kind="product", item_id="p-1")
    installation.records.overrides.suppress(hidden, who="t", now=NOON)
    installation.send()
    text = eml_files(tmp_path)[0].read_text()
    assert "Product p-1" not in text
    assert "Product p-3" in text, "a spare moves up"


SUBJECTS = {
    "experiment": "subjects",
    "hypothesis": "A product in the subject is clicked more.",
    "surface": "email",
    "about": "weekly_picks",
    "starts": "2026-11-01",
    "control": "control",
    "metric": "click",
    "within_days": 7,
    "arms": [{"arm": "control", "weight": 1}, {"arm": "product_first", "weight": 1}],
}


def subject_of(file: Path) -> str:
    return message_from_bytes(file.read_bytes(), policy=SMTP)["Subject"]


def test_an_experiment_says_the_wording_and_who_was_sent_it_is_exposed(tmp_path: Path) -> None:
    installation = of(20, tmp_path)
    installation.experiments = [SUBJECTS]
    installation.send()
    sends = {one.send.user_id: one.send for one in installation.records.mail.sends(state="sent")}
    assert {one.variant for one in sends.values()} == {"control", "product_first"}
    assert {one.experiment for one in sends.values()} == {"subjects"}
    worded = sum(subject_of(file) == "Product p-1: chosen for you" for file in eml_files(tmp_path))
    assert worded == sum(one.variant == "product_first" for one in sends.values())
    assert installation.records.mail.unexposed(100) == []
    lines = [
        orjson.loads(line)["value"]["exposures"]
        for file in installation.settings.landing_dir.rglob("*")
        if file.is_file()
        for line in file.read_bytes().splitlines()
    ]
    assert {line["user_id"]: line["variant"] for line in lines} == {
        user: one.variant for user, one in sends.items()
    }
    assert {(line["surface"], line["about"], line["release_id"]) for line in lines} == {
        ("email", "weekly_picks", "r-1")
    }


def test_a_person_stays_in_the_arm_they_were_sent(tmp_path: Path) -> None:
    installation = of(20, tmp_path)
    installation.experiments = [SUBJECTS]
    installation.send()
    before = {one.send.user_id: one.send.variant for one in installation.records.mail.sends()}
    # Drawn anew, half of them would be in the other arm.
    installation.experiments = [{**SUBJECTS, "seed": "another"}]
    installation.made_at = NOON + 7 * DAY
    installation.send(at=NOON + 7 * DAY)
    sends = [one.send for one in installation.records.mail.sends()]
    assert len(sends) == 40
    assert {(one.user_id, one.variant) for one in sends} == set(before.items())


def test_an_arm_that_no_template_words_stops_before_anything_is_sent(tmp_path: Path) -> None:
    installation = of(3, tmp_path)
    arms = [{"arm": "control", "weight": 1}, {"arm": "nope", "weight": 1000}]
    installation.experiments = [{**SUBJECTS, "arms": arms}]
    with pytest.raises(InputError, match="no variant 'nope'"):
        installation.send()
    assert eml_files(tmp_path) == []


def test_a_server_gets_each_e_mail_once(tmp_path: Path) -> None:
    installation, box = of(3, tmp_path), Postbox()
    with smtp_server(box) as port:
        assert installation.send(installation.mail(by_smtp(port))).sent == 3
        assert installation.send(installation.mail(by_smtp(port))).sent == 0
    assert sorted(box.addresses) == ["u-0@example.com", "u-1@example.com", "u-2@example.com"]
    assert {message["From"] for _, message in box.got} == {"Northlight Outdoor <news@shop.example.com>"}
    assert len({message["Message-ID"] for _, message in box.got}) == 3


def test_what_is_refused_for_now_is_tried_again_and_what_is_refused_is_given_up(tmp_path: Path) -> None:
    answers = {"u-0@example.com": "450 busy", "u-1@example.com": "550 no such user"}
    contents = {"u-2@example.com": "554 spam", "u-3@example.com": "451 x"}
    box = Postbox(to_recipient=answers.get, to_content=contents.get)
    installation = of(5, tmp_path)
    with smtp_server(box) as port:
        settings = by_smtp(port, attempts=2, wait_minutes=30)
        first = installation.send(installation.mail(settings))
        assert (first.sent, first.waiting, first.dead) == (1, 2, 2)
        early = installation.send(installation.mail(settings), at=NOON + HOUR / 4)
        assert left_out(early) == {"sent_before": 3, "later": 2}
        box.to_content = lambda _: None
        second = installation.send(installation.mail(settings), at=NOON + HOUR)
        assert (second.sent, second.dead) == (1, 1)
    dead = {one.send.user_id: one.problem for one in installation.records.mail.sends(state="dead")}
    assert dead == {"u-0": "450 busy", "u-1": "550 no such user", "u-2": "554 spam"}
    assert sorted(box.addresses) == ["u-3@example.com", "u-4@example.com"]


def test_a_server_that_is_silent_once_it_has_the_content_leaves_it_unknown(tmp_path: Path) -> None:
    installation, box = of(3, tmp_path), Postbox(hang_for="u-1@example.com")
    with smtp_server(box) as port:
        settings = by_smtp(port, answer_seconds=0.3)
        report = installation.send(installation.mail(settings))
        assert (report.sent, report.unknown) == (2, 1)
        assert installation.send(installation.mail(settings), at=NOON + DAY).sent == 0
    assert box.addresses.count("u-1@example.com") == 1


def test_a_server_that_is_gone_stops_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    installation, box = of(3, tmp_path), Postbox()
    with smtp_server(box) as port:
        settings = by_smtp(port, connect_seconds=0.2)
    with pytest.raises(MailUnavailable, match="takes no e-mail"):
        installation.send(installation.mail(settings))
    assert installation.records.mail.sends() == []


@pytest.mark.slow
def test_killed_in_the_middle_of_an_e_mail_it_never_sends_that_one_again(tmp_path: Path) -> None:
    box = Postbox(hang_for="u-1@example.com")
    installation = of(3, tmp_path)
    manifest = installation.written()
    with smtp_server(box) as port:
        process = multiprocessing.get_context("spawn").Process(target=_killed, args=(str(tmp_path), port))
        process.start()
        try:
            assert box.hanging.wait(60)
        finally:
            process.kill()
            process.join()
        assert box.addresses == ["u-0@example.com", "u-1@example.com"]
        settings = by_smtp(port)
        soon = installation.send(
            installation.mail(settings), manifest=manifest, at=NOON + timedelta(seconds=5)
        )
        assert (soon.sent, soon.abandoned) == (1, 0)
        later = installation.send(installation.mail(settings), manifest=manifest, at=NOON + HOUR)
        assert (later.sent, later.abandoned) == (0, 1)
    assert box.addresses == ["u-0@example.com", "u-1@example.com", "u-2@example.com"]
    (unknown,) = installation.records.mail.sends(state="unknown")
    assert unknown.send.user_id == "u-1"


def _killed(data_dir: str, port: int) -> None:
    installation = of(3, Path(data_dir))
    manifest = installation.written()
    installation.send(installation.mail(by_smtp(port, answer_seconds=60)), manifest=manifest)


def _later(installation: Installation) -> Manifest:
    return installation.written().model_copy(update={"created_at": installation.made_at})


def test_a_server_that_goes_away_half_way_stops_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    installation, box = of(3, tmp_path), Postbox()
    audience = Audience(open_stores(installation.settings), installation.written())
    with smtp_server(box) as port, audience:
        mail = installation.mail(by_smtp(port, connect_seconds=0.3, answer_seconds=0.3))

        def clock() -> datetime:
            if box.got:
                box.leave()
            return NOON

        report = send_campaign(mail, audience, CAMPAIGN, clock=clock)
    assert (report.sent, report.waiting) == (1, 0)
    assert report.stopped is not None
    assert "takes no e-mail" in report.stopped
    with smtp_server(box) as port:
        assert installation.send(installation.mail(by_smtp(port))).sent == 2
    assert sorted(box.addresses) == ["u-0@example.com", "u-1@example.com", "u-2@example.com"]
