"""Writes `.env` for docker-compose.yml: every name of `.env.example`, secrets drawn at random.

    python deploy/write_env.py        (make env)

What `.env` holds already stays, so that it can be run again after an upgrade. Needs nothing but Python.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def completed(example: str, present: str) -> str:
    """`present` plus the names of `example` that it lacks; a name without a value gets a random one."""
    known = {name for name, _ in _NAME.findall(present)}
    lines = [
        f"{name}={value or secrets.token_hex(24)}"
        for name, value in _NAME.findall(example)
        if name not in known
    ]
    return "".join(f"{line}\n" for line in [*present.splitlines(), *lines])


def main(folder: Path = PROJECT) -> None:
    """Complete `.env` in `folder`, readable by its owner alone."""
    path = folder / ".env"
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    wanted = completed((folder / ".env.example").read_text(encoding="utf-8"), present)
    unfinished = path.with_name(".env.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(wanted)
    unfinished.replace(path)
    sys.stdout.write(f"{path}: {len(_NAME.findall(wanted)) - len(_NAME.findall(present))} names added\n")


if __name__ == "__main__":
    main()
