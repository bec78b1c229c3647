"""Images from servers that answer as they like: what is taken, what is not and why."""

from __future__ import annotations

import time
import zlib
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any

import orjson
import pytest
from PIL import Image

from marketing_platform.content.board.fetching import fetch_all
from marketing_platform.content.board.image_settings import ImageSettings
from marketing_platform.content.board.pictures import category_key, digest_of, image_key, product_key
from marketing_platform.content.board.spec import Images
from marketing_platform_tests.content.board.shop import Shop, open_shop, picture

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels on each side."""
    content = bytearray(picture((8, 8)))
    content[16:24] = side.to_bytes(4) * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    return bytes(content)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as server:
        yield server


def settings_for(shop: Shop, **changed: Any) -> ImageSettings:
    return ImageSettings(internal_hosts=(shop.host,), **{"image_seconds": 2.0, **changed})


def fetched(
    shop: Shop, url: str, settings: ImageSettings | None = None, before: dict[str, bytes] | None = None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The entry of one product whose image is at a URL, and everything that is kept."""
    declared = Images(hosts=("127.0.0.1",), products={"p-1": url})
    kept = dict(fetch_all(declared, settings or settings_for(shop), (before or {}).get, now=NOW))
    return orjson.loads(kept[product_key("p-1")]), kept


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_image_is_written_anew(shop: Shop, form: str) -> None:
    url = shop.offer("/1", picture((2400, 1200), form), f"image/{form.lower()}; charset=x")
    said, kept = fetched(shop, url)
    assert said["problem"] is None
    content = b64decode(orjson.loads(kept[image_key(said["image"])])["jpeg"])
    assert digest_of(content) == said["image"]
    with Image.open(BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (900, 450))
    assert not {"Cookie", "Authorization", "Referer"} & shop.headers_seen[0].keys()


def test_nothing_of_the_file_is_kept_but_the_picture(shop: Shop) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    exif[0x0112] = 6  # turned by 90 degrees
    said, kept = fetched(shop, shop.offer("/1", picture((40, 20), "JPEG", exif=exif), "image/jpeg"))
    content = b64decode(orjson.loads(kept[image_key(said["image"])])["jpeg"])
    assert b"secret" not in content
    with Image.open(BytesIO(content)) as image:
        assert image.size == (20, 40)


def test_what_is_seen_through_becomes_white(shop: Shop) -> None:
    content = BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(content, "PNG")
    said, kept = fetched(shop, shop.offer("/1", content.getvalue()))
    with Image.open(BytesIO(b64decode(orjson.loads(kept[image_key(said["image"])])["jpeg"]))) as image:
        assert image.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("content", "media", "status", "problem"),
    [
        pytest.param(picture(), "text/html", 200, "no JPEG, PNG or WebP by its content type", id="page"),
        pytest.param(b"<svg/>", "image/svg+xml", 200, "by its content type", id="svg"),
        pytest.param(b"GIF89a", "image/png", 200, "it is no PNG, although", id="lying"),
        pytest.param(picture(form="JPEG"), "image/png", 200, "it is no PNG, although", id="another kind"),
        pytest.param(picture((400, 400))[:200], "image/png", 200, "cannot be decoded", id="torn"),
        pytest.param(b"", "image/png", 200, "it is no PNG, although", id="empty"),
        pytest.param(bomb(8_000), "image/png", 200, "more than 40,000,000 pixels", id="bomb"),
        pytest.param(bomb(30_000), "image/png", 200, "decoded (DecompressionBombError)", id="larger bomb"),
        pytest.param(b"gone", "image/png", 404, "its server answers 404", id="gone"),
        pytest.param(b"x" * 60_000, "image/png", 200, "more than 50,000 bytes", id="huge"),
    ],
)
def test_what_is_no_fit_image_becomes_a_problem(
    shop: Shop, content: bytes, media: str, status: int, problem: str
) -> None:
    url = shop.offer("/1", content, media, status)
    said, kept = fetched(shop, url, settings_for(shop, max_bytes=50_000))
    assert said["image"] is None
    assert problem in said["problem"]
    assert list(kept) == [product_key("p-1")]


def test_a_stream_without_end_is_left_at_the_cap(shop: Shop) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "image/png")
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 65_536)

    shop.answers["/1"] = endless
    said, _ = fetched(shop, shop.url("/1"), settings_for(shop, max_bytes=1_000_000))
    assert "more than 1,000,000 bytes" in said["problem"]


def test_a_server_that_drips_is_left_in_time(shop: Shop) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "image/png")
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.05)

    shop.answers["/1"] = drip
    began = time.monotonic()
    said, _ = fetched(shop, shop.url("/1"), settings_for(shop, image_seconds=0.3))
    assert said["problem"] == "it did not come in time"
    assert time.monotonic() - began < 3


def test_a_server_that_is_down_is_a_problem(shop: Shop) -> None:
    shop.shutdown()
    shop.server_close()
    said, _ = fetched(shop, shop.url("/1"))
    assert "does not answer" in said["problem"]


def test_redirects_are_followed_and_judged(shop: Shop) -> None:
    shop.offer("/there", picture())
    here = shop.offer("/here", b"", status=302, Location="/there")
    assert fetched(shop, here)[0]["problem"] is None
    for location, problem in (
        ("http://localhost/x", "it leads to localhost, which is not among the hosts"),
        ("http://127.0.0.1:1/x", "it is not behind https"),
        ("http://169.254.169.254/latest/meta-data", "not among the hosts"),
        ("file:///etc/passwd", "it leads to no URL"),
        ("https://127.0.0.1:1/ä", "it leads to no URL"),
    ):
        away = shop.offer("/away", b"", status=302, Location=location)
        assert problem in fetched(shop, away)[0]["problem"]


def test_redirects_without_end_are_left(shop: Shop) -> None:
    url = shop.offer("/1", b"", status=301, Location="/1")
    assert fetched(shop, url)[0]["problem"] == "it is behind more than 3 redirects"
    assert len(shop.asked) == 4


def test_no_internal_address_is_asked_unless_it_may(shop: Shop) -> None:
    shop.offer("/1", picture())
    plain = fetched(shop, shop.url("/1"), ImageSettings())[0]
    assert plain["problem"] == "it is not behind https"
    secure = fetched(shop, shop.url("/1").replace("http:", "https:"), ImageSettings())[0]
    assert "has an internal address; MARKETING_IMAGES_INTERNAL_HOSTS" in secure["problem"]
    assert shop.asked == []


def test_what_came_lately_is_not_fetched_again(shop: Shop) -> None:
    url = shop.offer("/1", picture())
    _, kept = fetched(shop, url)
    _, again = fetched(shop, url, before=kept)
    assert again == kept
    assert shop.asked == ["/1"]
    later = settings_for(shop, keep_days=1)
    aged = {key: value.replace(b"2026-11-21", b"2026-11-19") for key, value in kept.items()}
    fetched(shop, url, later, before=aged)
    assert shop.asked == ["/1", "/1"]


def test_what_failed_is_tried_again_after_a_while(shop: Shop) -> None:
    url = shop.offer("/1", b"", status=500)
    _, kept = fetched(shop, url)
    fetched(shop, url, before=kept)
    assert shop.asked == ["/1"]
    shop.offer("/1", picture())
    aged = {key: value.replace(b"2026-11-21", b"2026-11-20") for key, value in kept.items()}
    said, _ = fetched(shop, url, before=aged)
    assert said["problem"] is None


def test_one_url_for_several_is_fetched_once(shop: Shop) -> None:
    url = shop.offer("/1", picture())
    declared = Images(hosts=("127.0.0.1",), products={"p-1": url}, categories={"Camping": url})
    kept = dict(fetch_all(declared, settings_for(shop), lambda _: None, now=NOW))
    assert shop.asked == ["/1"]
    assert kept[product_key("p-1")] == kept[category_key("Camping")]
    assert len(kept) == 3


def test_all_images_together_have_a_deadline(shop: Shop) -> None:
    def slow(_: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)

    products = {f"p-{number}": shop.url(f"/{number}") for number in range(8)}
    for number in range(8):
        shop.answers[f"/{number}"] = slow
    settings = settings_for(shop, all_seconds=0.5, at_once=1)
    began = time.monotonic()
    kept = dict(fetch_all(Images(hosts=("127.0.0.1",), products=products), settings, lambda _: None, now=NOW))
    assert time.monotonic() - began < timedelta(seconds=2).total_seconds()
    problems = [orjson.loads(value)["problem"] for value in kept.values()]
    assert problems.count("it did not come in time") >= 6
