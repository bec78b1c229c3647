"""The images of a release, as boards look them up: by product or category, then by what is in them.

Where they come from is in `fetching.py`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

BOARD_IMAGES = "board_images"  # the answers of a release that hold them


def product_key(product_id: str) -> str:
    """Where the entry of a product is."""
    return f"product/{product_id}"


def category_key(name: str) -> str:
    """Where the entry of a category is."""
    return f"category/{name}"


def image_key(digest: str) -> str:
    """Where the bytes of an image are."""
    return f"image/{digest}"


def digest_of(content: bytes) -> str:
    """What an image is called."""
    return sha256(content).hexdigest()


def entry(url: str, *, image: str | None, problem: str | None, fetched_at: str) -> bytes:
    """What is kept of a URL: the image, or why there is none."""
    return orjson.dumps({"url": url, "image": image, "problem": problem, "fetched_at": fetched_at})


def stored_image(content: bytes) -> bytes:
    """An image as answers keep it: JSON, as everything in that store."""
    return orjson.dumps({"jpeg": b64encode(content).decode()})


def image_of(stored: bytes) -> bytes:
    """The bytes of a stored image."""
    return b64decode(orjson.loads(stored)["jpeg"])


@dataclass(frozen=True)
class Pictures:
    """The images of one release, for one board.

    Args:
        get: What is kept under a key, or None.
    """

    get: Callable[[str], bytes | None]
    problems: list[str] = field(default_factory=list[str])  # images that were declared and are not there

    def of(self, product_id: str | None, category: str | None) -> str | None:
        """The SHA-256 of the image of a product, or else of its category."""
        for key in (
            *([product_key(product_id)] if product_id else []),
            *([category_key(category)] if category else []),
        ):
            found = self.get(key)
            if found is None:
                continue
            said: dict[str, Any] = orjson.loads(found)
            if said["image"] is not None:
                return said["image"]
            note = f"{key}: artwork stands for its image, {said['problem']}."
            if note not in self.problems:
                self.problems.append(note)
        return None

    def bytes_of(self, digest: str) -> bytes:
        """The image, as JPEG."""
        found = self.get(image_key(digest))
        if found is None:
            raise LookupError(f"the release has no image {digest}, although an entry names it")
        return image_of(found)
