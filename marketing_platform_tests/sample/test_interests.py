"""Users differ in what they care about, and it shows in what they write, click and buy."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter

import numpy as np
import pytest

from marketing_platform.sample import SampleSummary
from marketing_platform.sample.people import People, make_people
from marketing_platform.sample.world import load_world


@pytest.fixture(scope="module")
def people(sample: SampleSummary) -> People:
    return make_people(load_world(), sample.users, seed=7)


def chats(sample: SampleSummary) -> list[tuple[int, str, str]]:
    """User number, campaign and text of each readable chat message."""
    found: list[tuple[int, str, str]] = []
    for path in sorted(sample.directory.glob("conversations/*.ndjson")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                message = json.loads(line)
            except json.JSONDecodeError:
                continue
            if message["user"]["id"]:
                found.append((int(message["user"]["id"][2:]) - 1, message["campaign"]["id"], message["text"]))
    return found


def test_users_who_write_alike_share_their_main_interest(sample: SampleSummary, people: People) -> None:
    """Words alone, weighted by how rare they are, find people of the same interest among the ten nearest."""
    written = [(user, re.findall(r"[a-z]{3,}", text.lower())) for user, _, text in chats(sample)]
    frequency = Counter(word for _, words in written for word in set(words))
    place = {word: index for index, word in enumerate(frequency)}
    bags = np.zeros((sample.users, len(place)))
    for user, words in written:
        for word in words:
            bags[user, place[word]] += np.log(len(written) / frequency[word])
    writers = np.flatnonzero(np.bincount([user for user, _ in written], minlength=sample.users) >= 4)
    vectors = bags[writers] / np.linalg.norm(bags[writers], axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    nearest = np.argsort(-likeness, axis=1)[:, :10]
    main = people.main[writers]
    by_chance = (main[:, None] == main).mean()
    assert len(writers) > 100
    assert (main[nearest] == main[:, None]).mean() > 0.6 > 4 * by_chance


def test_most_of_what_people_do_follows_their_interests(sample: SampleSummary, people: People) -> None:
    world = load_world()
    category = {campaign.campaign_id: world.category_index[campaign.category] for campaign in world.campaigns}
    follows = [
        category[campaign] in (people.main[user], people.second[user])
        for user, campaign, _ in chats(sample)
        if campaign
    ]
    assert np.mean(follows) > 0.8
    with (sample.directory / "crm/interests.csv").open(encoding="utf-8") as file:
        strongest: dict[str, tuple[float, str]] = {}
        for row in csv.DictReader(file):
            stated = (float(row["strength"]), row["interest"])
            if stated[0] <= 1:
                strongest[row["user"]] = max(strongest.get(row["user"], stated), stated)
    agrees = [
        world.categories[people.main[int(user[2:]) - 1]].name == interest
        for user, (_, interest) in strongest.items()
    ]
    assert np.mean(agrees) > 0.95


def test_messages_are_hardly_ever_repeated_in_a_small_sample(sample: SampleSummary) -> None:
    texts = [text for _, _, text in chats(sample)]
    assert len(set(texts)) > 0.9 * len(texts)
    assert not any("{" in text or "  " in text for text in texts)


def test_addresses_are_reserved_for_examples_and_distinct(sample: SampleSummary) -> None:
    content = (sample.directory / "crm/users.csv").read_text(encoding="utf-8-sig")
    addresses = re.findall(r"[^;\s]+@[^;\s]+", content)
    assert len(addresses) == len(set(addresses)) > 390
    assert {address.partition("@")[2] for address in addresses} == {"example.org", "example.com"}
