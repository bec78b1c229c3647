"""The most memory that this process held during a block."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType

from marketing_platform.memory import largest_ever

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # proc(5), clear_refs


class MemoryPeak:
    """`with MemoryPeak() as peak: …`, then `peak.gigabytes`; not on Linux: since the process began."""

    gigabytes: float = 0.0

    def __enter__(self) -> MemoryPeak:
        with suppress(OSError):  # not Linux, or not allowed
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gigabytes = _peak_bytes() / 1e9


def _peak_bytes() -> float:
    try:
        status = (_PROCESS / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return largest_ever()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024.0
