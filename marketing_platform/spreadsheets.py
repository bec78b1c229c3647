"""Cells of files that spreadsheets open: none may be run. Writing the files is the callers' business."""

from __future__ import annotations

# A cell that begins so is a formula to spreadsheets (OWASP, "CSV Injection"), also in its wide forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
