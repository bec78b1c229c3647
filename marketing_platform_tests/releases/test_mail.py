"""Each e-mail is claimed once per campaign, person and period, wherever sends are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.releases.mail import Claim, MailLedger, Send
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def send(user_id: str = "u-1", *, campaign: str = "picks", period: str = "2026-W47") -> Send:
    return Send(campaign, period, user_id, "weekly_picks", None, "control", "r-1")


def claim(ledger: MailLedger, one: Send, *, at: datetime = NOW, cap: int = 2) -> Claim:
    return ledger.claim(one, now=at, cap=cap, window=WEEK)


class MailContract:
    """What every ledger of sends does. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_a_send_is_claimed_once_by_whoever_is_first(self, place: Place) -> None:
        ledgers = [place.open().mail for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            claims = list(pool.map(lambda ledger: claim(ledger, send()), ledgers))
        assert sorted(claims) == [Claim.ALREADY] * 3 + [Claim.CLAIMED]
        assert claim(ledgers[0], send(period="2026-W48")) is Claim.CLAIMED
        assert claim(ledgers[0], send(user_id="ü 'x'")) is Claim.CLAIMED

    def test_whatever_became_of_it_it_is_not_sent_again(self, place: Place) -> None:
        ledger = place.open().mail
        for number, state in enumerate(("sent", "dead", "unknown")):
            one = send(f"u-{number}")
            assert claim(ledger, one) is Claim.CLAIMED
            ledger.settle(one, state, problem="why")
            assert claim(ledger, one, at=NOW + WEEK) is Claim.ALREADY
        assert ledger.settled("picks", "2026-W47") == {"u-0", "u-1", "u-2"}
        assert ledger.settled("picks", "2026-W48") == frozenset()
        assert ledger.counts() == {("picks", "2026-W47", state): 1 for state in ("dead", "sent", "unknown")}
        (dead,) = ledger.sends(state="dead", campaign="picks")
        assert (dead.send, dead.problem, dead.attempts) == (send("u-1"), "why", 1)
        assert ledger.sends(campaign="other") == []

    def test_what_was_refused_for_now_is_tried_again_when_its_time_has_come(self, place: Place) -> None:
        ledger = place.open().mail
        claim(ledger, send())
        ledger.settle(send(), "waiting", problem="451 later", next_at=NOW + HOUR)
        assert ledger.settled("picks", "2026-W47") == frozenset()
        assert claim(ledger, send(), at=NOW + HOUR / 2) is Claim.LATER
        assert claim(ledger, send(), at=NOW + HOUR) is Claim.CLAIMED
        assert ledger.attempts(send()) == 2
        ledger.release_claim(send())
        assert ledger.attempts(send()) == 1
        assert claim(ledger, send(), at=NOW + HOUR) is Claim.CLAIMED

    def test_a_person_gets_no_more_than_the_cap_within_the_window(self, place: Place) -> None:
        ledger = place.open().mail
        for number in range(2):
            one = send(campaign=f"c{number}")
            assert claim(ledger, one, at=NOW + number * HOUR) is Claim.CLAIMED
            ledger.settle(one, "sent")
        assert claim(ledger, send(campaign="c2"), at=NOW + 2 * HOUR) is Claim.CAPPED
        assert claim(ledger, send("u-2", campaign="c2"), at=NOW + 2 * HOUR) is Claim.CLAIMED
        assert claim(ledger, send(campaign="c2"), at=NOW + WEEK) is Claim.CLAIMED
        ledger.settle(send(campaign="c2"), "dead")
        assert claim(ledger, send(campaign="c3"), at=NOW + WEEK) is Claim.CLAIMED

    def test_a_claim_that_nobody_settled_is_unknown(self, place: Place) -> None:
        ledger = place.open().mail
        claim(ledger, send("died"))
        claim(ledger, send("alive"), at=NOW + HOUR)
        assert ledger.abandoned(NOW + HOUR / 2) == 1
        assert ledger.abandoned(NOW + HOUR / 2) == 0
        assert [one.send.user_id for one in ledger.sends(state="unknown")] == ["died"]
        assert claim(ledger, send("died"), at=NOW + WEEK) is Claim.ALREADY

    def test_who_unsubscribed_gets_nothing_until_they_come_back(self, place: Place) -> None:
        ledger = place.open().mail
        assert ledger.unsubscribe("u-1", now=NOW)
        assert not ledger.unsubscribe("u-1", now=NOW + HOUR)
        assert ledger.unsubscribed() == {"u-1"}
        assert claim(place.open().mail, send()) is Claim.UNSUBSCRIBED
        assert ledger.resubscribe("u-1")
        assert not ledger.resubscribe("u-1")
        assert claim(ledger, send()) is Claim.CLAIMED

    def test_exposures_are_told_once(self, place: Place) -> None:
        ledger = place.open().mail
        arms = [send(f"u-{number}")._replace(experiment="subjects", variant="a") for number in range(3)]
        for one in (*arms, send("u-9")):
            claim(ledger, one)
            ledger.settle(one, "sent")
        ledger.settle(arms[2], "dead")
        assert [one.send for one in ledger.unexposed(10)] == arms[:2]
        ledger.exposed(arms[:1])
        assert ledger.first_arm("subjects", "u-0") == "a"
        assert ledger.first_arm("subjects", "u-2") is None, "it never left"
        assert ledger.first_arm("other", "u-0") is None
        assert [one.send for one in ledger.unexposed(10)] == arms[1:2]

    def test_a_forgotten_person_is_nowhere(self, place: Place) -> None:
        ledger = place.open().mail
        claim(ledger, send())
        ledger.unsubscribe("u-1", now=NOW)
        assert ledger.forget("u-1") == 1
        assert (ledger.sends(), ledger.unsubscribed(), ledger.forget("u-1")) == ([], frozenset(), 0)

    def test_links_are_signed_alike_by_all(self, place: Place) -> None:
        with ThreadPoolExecutor(4) as pool:
            keys = set(pool.map(lambda _: place.open().mail.signing_key(), range(4)))
        assert len(keys) == 1
        assert len(keys.pop()) == 32


class TestMailInFolder(MailContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)


if WITH_SERVERS:

    class TestMailInPostgres(MailContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()
