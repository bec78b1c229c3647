"""What every kind of declaration owes whoever writes one: where it is wrong, and what was expected there.

A kind adds a class that names its file, a good one, and ways to spoil it. What a good file means is shown
beside that class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from marketing_platform.errors import MarketingPlatformError

# What stands in a good file, what instead, and what is told of it, after `file:`.
Spoiled = tuple[str, str, str]


@dataclass(frozen=True)
class Kind:
    """A file, how its folder is read, and the error a wrong one raises."""

    file: str
    read: Callable[[Path], Any]
    error: type[MarketingPlatformError]

    def load(self, folder: Path, text: str, file: str | None = None) -> Any:
        """What is read once the folder has this file."""
        (folder / (file or self.file)).write_text(text, encoding="utf-8")
        return self.read(folder)

    def errors(self, folder: Path, text: str, file: str | None = None) -> str:
        """What is told of a wrong file, without its name at the beginning of the lines."""
        with pytest.raises(self.error) as caught:
            self.load(folder, text, file)
        return str(caught.value).replace(f"{folder}/{file or self.file}:", "")


class DeclarationsContract:
    """The behaviour."""

    kind: ClassVar[Kind]
    good: ClassVar[str]
    spoiled: ClassVar[Sequence[Spoiled]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "old" in metafunc.fixturenames:
            metafunc.parametrize(("old", "new", "expected"), self.spoiled)

    def test_a_wrong_key_is_named_with_its_line(
        self, tmp_path: Path, old: str, new: str, expected: str
    ) -> None:
        text = self.good.replace(old, new, 1)
        assert text != self.good
        assert expected in self.kind.errors(tmp_path, text)

    @pytest.mark.parametrize("text", ["", "- a list", "a: [", "\x00"], ids=repr)
    def test_what_is_no_declaration(self, tmp_path: Path, text: str) -> None:
        told = self.kind.errors(tmp_path, text)
        assert told.partition(":")[0].isdigit()
        what = "a mapping with the keys " if text in ("", "- a list") else "YAML, found a syntax error"
        assert f": expected {what}" in told

    def test_what_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / self.kind.file).write_bytes(b"source: \xff")
        with pytest.raises(self.kind.error, match="expected UTF-8 text, found the byte 0xff"):
            self.kind.read(tmp_path)
