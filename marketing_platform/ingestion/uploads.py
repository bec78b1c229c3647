"""Which object a file becomes that a person uploads for a declared source.

It lands where such a file would lie had somebody put it there, so that uploading it again, corrected,
replaces it. What lands is read and judged like any other object.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from marketing_platform.errors import InputError
from marketing_platform.sources import SourceSpec, match_source
from marketing_platform.stores.landed_names import is_whole

_LONGEST_NAME = 200  # characters
_MANY_FOLDERS = "**"  # such sources are written by programs, under names of their own
_WILDCARDS = frozenset("*?[")


def takes_uploads(spec: SourceSpec) -> bool:
    """Whether a person may upload files of this source."""
    return any(_MANY_FOLDERS not in pattern for pattern in spec.path)


def object_name(specs: Sequence[SourceSpec], spec: SourceSpec, file_name: str) -> str:
    """The object that a file of that name becomes for `spec`.

    The file's own name where the source reads such names. Otherwise the source's: the one name it reads, or
    the file's put in place of the star (`july.csv` for `events/events-*.csv` is `events/events-july.csv`).

    Raises:
        InputError: No name can be found that this source, and no other, reads.
    """
    own = PurePosixPath(file_name.replace("\\", "/")).name
    if not own or len(own) > _LONGEST_NAME or not own.isprintable() or not is_whole(own):
        raise InputError(f"a file needs a visible name of at most {_LONGEST_NAME} printable characters")
    for pattern in spec.path:
        folder, _, last = pattern.lstrip("/").rpartition("/")
        if _WILDCARDS & set(folder):
            continue
        prefix = f"{folder}/" if folder else ""
        for name in (own, *_named_by(last, own)):
            found = match_source(specs, prefix + name)
            if found is not None and found.name == spec.name:
                return prefix + name
    raise InputError(f"{spec.name} reads {' or '.join(spec.path)}; rename the file, or choose another source")


def _named_by(last: str, own: str) -> Sequence[str]:
    """Names that fit the last part of a pattern, made from the file's own."""
    wildcards = [character for character in last if character in _WILDCARDS]
    if not wildcards:
        return (last,)
    stem = own.partition(".")[0]
    return (last.replace("*", stem),) if wildcards == ["*"] and stem else ()
