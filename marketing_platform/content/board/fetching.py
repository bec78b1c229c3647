"""Fetches declared images when a release is made: from declared hosts, over https, within caps of every kind.

What comes back is an image of our own making: decoded, turned upright, made smaller and written anew as JPEG,
without whatever else was in the file. Nothing that another host does ends the pipeline: an image that cannot
be had has a problem instead, and boards get artwork. What was fetched before is kept for some days.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore2
import orjson
from PIL import Image, ImageOps, UnidentifiedImageError

from marketing_platform import __version__
from marketing_platform.addresses import AddressRefused, GuardedNetwork, host_of, is_allowed
from marketing_platform.content.board.image_settings import ImageSettings
from marketing_platform.content.board.pictures import (
    category_key,
    digest_of,
    entry,
    image_key,
    image_of,
    product_key,
    stored_image,
)
from marketing_platform.content.board.spec import Images

_FORMATS: Mapping[bytes, str] = {b"image/jpeg": "JPEG", b"image/png": "PNG", b"image/webp": "WEBP"}
_URL = re.compile(r"[\x21-\x7e]{1,2000}")
_LARGEST = 900  # pixels of a side: what the largest tile shows
_QUALITY = 84
_AGAIN = timedelta(hours=12)  # after which what failed is tried again
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


class _Refused(Exception):
    """An image that is not taken; the message says why, without its URL."""


@dataclass(frozen=True)
class Fetched:
    """What became of a URL."""

    url: str
    at: datetime
    content: bytes | None = None  # JPEG
    problem: str | None = None


def fetch_all(
    declared: Images,
    settings: ImageSettings,
    before: Callable[[str], bytes | None],
    *,
    now: datetime,
) -> Iterator[tuple[str, bytes]]:
    """Keys and values that boards look up: an entry for each declared product and category, and the images.

    Args:
        declared: Hosts and URLs.
        settings: Caps.
        before: What is kept from the last time, by key.
        now: Moment, UTC.
    """
    known = dict(_kept(declared, settings, before, now))
    wanted = [url for url in declared.urls if url not in known]
    known |= {one.url: one for one in asyncio.run(_fetch(wanted, frozenset(declared.hosts), settings, now))}
    for part, key in ((declared.products, product_key), (declared.categories, category_key)):
        for name, url in part.items():
            yield key(name), _entry(known[url])
    for content in dict.fromkeys(one.content for one in known.values() if one.content is not None):
        yield image_key(digest_of(content)), stored_image(content)


def as_jpeg(content: bytes, media: bytes, settings: ImageSettings) -> bytes:
    """An image of our own making from the bytes of somebody's.

    Raises:
        _Refused: It is none, another kind than it says, or has more pixels than allowed.
    """
    kind = _FORMATS.get(media.partition(b";")[0].strip().lower())
    if kind is None:
        raise _Refused("it is no JPEG, PNG or WebP by its content type")
    try:
        # The head alone says how large it is; nothing is decoded before that is judged.
        with Image.open(BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > settings.max_pixels:
                raise _Refused(f"it has more than {settings.max_pixels:,} pixels")
            image.draft("RGB", (_LARGEST, _LARGEST))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((_LARGEST, _LARGEST))
            opaque = Image.new("RGB", upright.size, "#ffffff")
            with_alpha = upright.convert("RGBA")
            opaque.paste(with_alpha, mask=with_alpha.getchannel("A"))
            written = BytesIO()
            opaque.save(written, "JPEG", quality=_QUALITY)
    except UnidentifiedImageError:
        raise _Refused(f"it is no {kind}, although its content type says so") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _Refused(f"it cannot be decoded ({type(error).__name__})") from None
    return written.getvalue()


def _kept(
    declared: Images, settings: ImageSettings, before: Callable[[str], bytes | None], now: datetime
) -> Iterator[tuple[str, Fetched]]:
    """What was fetched lately from the URLs that are declared today."""
    keys = [
        *((product_key(name), url) for name, url in declared.products.items()),
        *((category_key(name), url) for name, url in declared.categories.items()),
    ]
    for key, url in keys:
        said: dict[str, Any] = orjson.loads(before(key) or b"{}")
        if said.get("url") != url:
            continue
        at = datetime.fromisoformat(said["fetched_at"])
        stored = before(image_key(said["image"])) if said["image"] else None
        if stored is not None and now - at < timedelta(days=settings.keep_days):
            yield url, Fetched(url, at, image_of(stored))
        elif said["problem"] and now - at < _AGAIN:
            yield url, Fetched(url, at, problem=said["problem"])


def _entry(one: Fetched) -> bytes:
    image = None if one.content is None else digest_of(one.content)
    return entry(one.url, image=image, problem=one.problem, fetched_at=one.at.isoformat())


async def _fetch(
    urls: Iterable[str], hosts: frozenset[str], settings: ImageSettings, now: datetime
) -> list[Fetched]:
    at_once = asyncio.Semaphore(settings.at_once)
    deadline = asyncio.get_running_loop().time() + settings.all_seconds
    pool = httpcore2.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None),
        max_connections=settings.at_once,
        max_keepalive_connections=0,
        network_backend=GuardedNetwork(settings.internal_hosts, setting="MARKETING_IMAGES_INTERNAL_HOSTS"),
    )

    async def one(url: str) -> Fetched:
        try:
            async with at_once, asyncio.timeout_at(deadline), asyncio.timeout(settings.image_seconds):
                content, media = await _followed(pool, url, hosts, settings)
                return Fetched(url, now, await asyncio.to_thread(as_jpeg, content, media, settings))
        except (_Refused, AddressRefused) as refused:
            return Fetched(url, now, problem=str(refused))
        except TimeoutError:
            return Fetched(url, now, problem="it did not come in time")
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            return Fetched(url, now, problem=f"its server does not answer ({type(error).__name__})")

    async with pool:
        return list(await asyncio.gather(*(one(url) for url in urls)))


async def _followed(
    pool: httpcore2.AsyncConnectionPool, url: str, hosts: frozenset[str], settings: ImageSettings
) -> tuple[bytes, bytes]:
    """Content and content type, over as many redirects as allowed, each judged like the first address."""
    for _ in range(settings.redirects + 1):
        _judge(url, hosts, settings)
        status, fields, content = await _get(pool, url, settings)
        if status not in _REDIRECTS:
            if status != HTTPStatus.OK:
                raise _Refused(f"its server answers {status}")
            return content, fields.get(b"content-type", b"")
        url = urljoin(url, fields.get(b"location", b"").decode("latin-1"))
    raise _Refused(f"it is behind more than {settings.redirects} redirects")


def _judge(url: str, hosts: frozenset[str], settings: ImageSettings) -> None:
    try:
        host, port = host_of(url)
    except ValueError:
        host, port = "", 0
    if not host or not _URL.fullmatch(url):
        raise _Refused("it leads to no URL")
    if host not in hosts:
        raise _Refused(f"it leads to {host[:100]}, which is not among the hosts")
    internal = is_allowed(host, port, settings.internal_hosts)
    if urlsplit(url).scheme != "https" and not (urlsplit(url).scheme == "http" and internal):
        raise _Refused("it is not behind https")


async def _get(
    pool: httpcore2.AsyncConnectionPool, url: str, settings: ImageSettings
) -> tuple[int, dict[bytes, bytes], bytes]:
    timeout = {
        "connect": settings.connect_seconds,
        **dict.fromkeys(("read", "write", "pool"), settings.image_seconds),
    }
    headers = [
        ("user-agent", f"marketing-platform/{__version__}"),
        ("accept", "image/jpeg,image/png,image/webp"),
    ]
    async with pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as answer:
        fields = {name.lower(): value for name, value in answer.headers}
        content = bytearray()
        if answer.status == HTTPStatus.OK:
            async for part in answer.aiter_stream():
                content += part
                if len(content) > settings.max_bytes:
                    raise _Refused(f"it has more than {settings.max_bytes:,} bytes")
        return answer.status, fields, bytes(content)
