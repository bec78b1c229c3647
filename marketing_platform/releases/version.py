"""What code and declarations a release is built by, and which release already is just that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from marketing_platform import __version__
from marketing_platform.releases.ledger import Batch, Ledger
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.settings import PROJECT_DIR, Settings

# Another version of these may come to other figures, be it in the last digit.
_COMPUTING = ("duckdb", "numpy", "onnxruntime", "pyarrow", "scipy")


def code_version(settings: Settings) -> str:
    """The package's version and a hash over its code, its declarations and the choice of encoder."""
    digest = hashlib.sha256(package_version().encode())
    for folder, patterns in (
        (settings.sources_dir, ("*.yaml",)),
        (settings.expectations_dir, ("*.json", "*.yaml")),
        (settings.rules_dir, ("*.yaml",)),
        (settings.features_dir, ("*.yaml",)),
        (settings.kpis_dir, ("*.yaml",)),
        (settings.segments_dir, ("*.yaml",)),
        (settings.boards_dir, ("images.yaml",)),
        (settings.experiments_dir, ("*.yaml",)),
    ):
        digest.update(_written(folder, patterns))
    digest.update(repr((settings.encoder, settings.encoder_model, settings.encoder_dimensions)).encode())
    return f"{__version__}+{digest.hexdigest()[:12]}"


@cache
def package_version() -> str:
    """A hash over the package's code, what is declared in it, and the libraries that compute."""
    content = _written(PROJECT_DIR / "marketing_platform", ("*.py", "*.yaml", "*.sql"))
    libraries = [f"{name} {version(name)}" for name in _COMPUTING]
    return hashlib.sha256(content + "\n".join(libraries).encode()).hexdigest()[:12]


def declared_version(folder: Path) -> str:
    """A hash over the YAML files of a folder and below."""
    return hashlib.sha256(_written(folder, ("*.yaml",))).hexdigest()[:12]


def _written(folder: Path, patterns: Iterable[str]) -> bytes:
    """What stands in the files of a folder and below, with their names."""
    paths = sorted(path for pattern in patterns for path in folder.rglob(pattern))
    return b"".join(
        str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0" for path in paths
    )


def made_before(shelf: ReleaseShelf, ledger: Ledger, settings: Settings) -> Manifest | None:
    """The release that today's code made of the batches admitted now, if there is one.

    It need not be the one that serves: after a rollback nothing makes it anew by itself.
    """
    version, admitted = code_version(settings), ledger.admitted()
    made = (manifest for manifest in shelf.list() if manifest.code_version == version)
    return next((manifest for manifest in made if made_of(manifest, admitted)), None)


def made_of(manifest: Manifest, batches: Iterable[Batch]) -> bool:
    """Whether a release consists of exactly these batches, as they are judged now."""
    served = {(entry.batch_id, entry.rows_valid, entry.decision) for entry in manifest.batches}
    return served == {(batch.batch_id, batch.rows_valid, batch.state.value) for batch in batches}
