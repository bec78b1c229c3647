"""What each page shows of a release, asked of a real API."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marketing_platform_tests.dashboard.pages import APP, opened, settled, text

pytestmark = pytest.mark.usefixtures("dashboard")


def test_the_first_page_shows_cards_with_comparison_in_words() -> None:
    page = settled(AppTest.from_file(str(APP), default_timeout=60).run())
    assert page.title[0].value == "Overview"
    cards = {card.label: (card.value, card.delta) for card in page.metric}
    # 30 days: 4 x (10 + ago) a day, 2 conversions in DE; before: as many, dearer.
    spend = sum(4 * (10 + ago) for ago in range(30))
    before = sum(4 * (10 + ago) for ago in range(30, 60))
    assert set(cards) == {"Spend", "Revenue", "ROAS", "Conversions", "CAC"}
    assert cards["Conversions"] == ("120", "unchanged")
    assert cards["CAC"][0].endswith(f"{spend / 120:.2f}")
    assert cards["CAC"][1] == f"-{(before - spend) / before * 100:.1f} %, better"
    assert cards["Spend"][1] == f"-{(before - spend) / before * 100:.1f} %"
    assert "r-gen1" in text(page).replace("\\", "")


def test_the_address_holds_what_is_looked_at() -> None:
    page = opened("overview", period="Last 7 days", against="nothing", country="DE", kpi="CAC")
    assert page.selectbox(key="period").value == "7d"
    shown = text(page).replace("\\", "")
    assert "14–20 Nov 2026 · only DE" in shown
    assert "compared" not in shown
    assert "CAC over time" in shown
    assert all(not card.delta for card in page.metric)


def test_filters_change_the_figures() -> None:
    page = opened("overview")
    page.multiselect(key="country").set_value(["AT"]).run()
    settled(page)
    cards = {card.label: card.value for card in page.metric}
    assert cards["Conversions"] == "0"
    assert cards["CAC"] == "–"
    assert "there were no conversions" in text(page).lower()


def test_days_of_my_own() -> None:
    page = opened("overview", period="Days of my own", **{"from": "2026-11-01", "to": "2026-11-10"})
    assert "1–10 Nov 2026" in text(page).replace("\\", "")


def test_a_question_is_answered_with_how_it_came_about() -> None:
    page = opened("ask")
    page.text_input[0].input("CAC by country last 30 days")
    page.button[0].click().run()
    settled(page)
    shown = text(page).replace("\\", "")
    assert "“CAC by country last 30 days”" in shown
    assert "Understood as: CAC by country" in shown
    assert "kpi_daily" in page.code[0].value
    assert page.query_params["q"] == "CAC by country last 30 days"


def test_a_shared_question_is_asked_and_followed_up() -> None:
    page = opened("ask", q="spend last 30 days")
    assert "Understood as: Spend" in text(page)
    page.text_input[0].input("and in Germany?")
    page.button[0].click().run()
    shown = text(settled(page)).replace("\\", "")
    assert "“and in Germany?”" in shown
    assert "only country DE" in shown


def test_what_cannot_be_answered_is_declined_with_suggestions() -> None:
    page = opened("ask", q="what is our profit?")
    assert "I cannot answer that for certain" in page.info[0].value
    suggestions = [button.label for button in page.button if "Ask" not in button.label]
    assert len(suggestions) > 1


def test_campaigns_are_a_table_to_take_away() -> None:
    page = opened("campaigns")
    table = page.dataframe[0].value
    assert list(table["Campaign"]) == ["c-1-gen1", "c-2-gen1"]
    assert page.get("download_button")


def test_recommendations_say_why() -> None:
    page = opened("recommendations", person="u-3", kind="Campaigns")
    shown = text(page).replace("\\", "")
    assert "1. Campaign c-3-gen1" in shown
    assert "Kept back by your rules: Campaign c-4-gen1" in shown
    assert "Among the campaigns that most users took." in shown
    assert "People like them" in shown


def test_somebody_unknown_is_told_so() -> None:
    page = opened("recommendations", person="nobody")
    assert "not in the data" in text(page)


def test_quality_names_recommenders_as_people_do() -> None:
    page = opened("quality")
    assert {card.label: card.value for card in page.metric}["People who took one of the ten"] == "50 %"
    assert page.header[0].value == "Compared with simpler ways"


def test_data_shows_the_release_and_what_landed() -> None:
    page = opened("data", needs_release=False)
    assert {card.label for card in page.metric} >= {"Rows landed", "Refused rows", "People"}
    assert "No file has landed yet" in text(page)


def test_segments_are_listed_with_their_people() -> None:
    page = opened("segments")
    rows = page.table[0].value.to_dict("records")
    assert [(row["Segment"], row["People"], row["May be written to"]) for row in rows] == [
        ("Empty", "0", "0"),
        ("First two", "2", "1"),
    ]
    page.selectbox(key="segment").set_value("first_two").run()
    assert settled(page).dataframe[0].value["User"].to_list() == ["u-1", "u-2"]


def test_a_segment_without_people_says_so() -> None:
    assert "Nobody belongs to Empty now." in text(opened("segments", segment="Empty"))


def test_an_experiment_is_shown_with_how_sure_it_is() -> None:
    page = opened("experiments")
    shown = text(page).replace("\\", "")
    assert "Content list" in shown
    assert "The experiment is going on; 1,200 people were shown an arm." in shown
    rows = {row["Arm"]: row for row in page.table[0].value.to_dict("records")}
    assert rows["Content (control)"]["Against control"] == "–"
    assert (rows["Other"]["Rate"], rows["Other"]["Against control"]) == ("15 %", "+125.0%")
    assert rows["Other"]["Likely between"].startswith("+")
    assert "Day by day" in shown
