"""The asset that fetches images: what is declared becomes answers, and is not fetched again at once."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest

from marketing_platform.content.board.pictures import BOARD_IMAGES, category_key, image_key, product_key
from marketing_platform.defs.assets.content import board_images
from marketing_platform.defs.io_managers import AnswersIOManager, latest_name
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import Stores, open_stores
from marketing_platform_tests.content.board.shop import open_shop, picture


def materialized(instance: dg.DagsterInstance, settings: Settings, stores: Stores) -> dict[str, Any]:
    """What the asset stored of the product and the category, and whether it stored the image."""
    resources = {"stores": stores, "settings": settings, "answers_io": AnswersIOManager(stores.answers)}
    assert dg.materialize([board_images], instance=instance, resources=resources).success
    with closing(stores.answers.open(latest_name(instance, BOARD_IMAGES))) as answers:
        found = {key: answers.get(key) for key in (product_key("p-1"), category_key("Camping"))}
        entries = {key: orjson.loads(value or b"{}") for key, value in found.items()}
        images = {entry["image"] for entry in entries.values() if entry.get("image")}
        assert all(answers.get(image_key(image)) for image in images)
    return entries


def test_declared_images_become_part_of_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = Path(shutil.copytree(PROJECT_DIR / "boards", tmp_path / "boards"))
    settings = Settings(data_dir=tmp_path / "data", boards_dir=boards)  # pyright: ignore[reportCallIssue]
    stores, instance = open_stores(settings), dg.DagsterInstance.ephemeral()
    with open_shop() as shop:
        monkeypatch.setenv("MARKETING_IMAGES_INTERNAL_HOSTS", f'["{shop.host}"]')
        (boards / "images.yaml").write_text(
            f"hosts: [127.0.0.1]\nproducts: {{p-1: '{shop.offer('/1', picture())}'}}\n"
            f"categories: {{Camping: '{shop.offer('/2', b'', status=404)}'}}\n"
        )
        first = materialized(instance, settings, stores)
        assert first[product_key("p-1")]["image"]
        assert first[category_key("Camping")]["problem"] == "its server answers 404"
        assert materialized(instance, settings, stores) == first
        assert sorted(shop.asked) == ["/1", "/2"]
