"""Which names in a landing zone are those of whole objects; folders and buckets go by the same rule."""

from __future__ import annotations

_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")


def is_hidden(part: str) -> bool:
    """Whether a folder of that name, or an object, is nobody's business."""
    return part.startswith(".")


def is_whole(name: str) -> bool:
    """Whether the path `name` (forward slashes) is neither hidden nor still being written."""
    if name.endswith(("/", *_UNFINISHED_SUFFIXES)):  # a bucket shows an empty folder as `folder/`
        return False
    return not any(is_hidden(part) for part in name.split("/"))
