"""Nothing is computed again that would come out the same: an asset keeps the name it is stored under.

What an asset is made of is the data versions of what it reads, the code, and what else it is given: a
query, settings, declared rules, the day it holds for. Where the latest materialization was made of
just that, the asset is materialized again under the name it has, so that releases, checks and
whatever reads it see a materialization like any other. Which assets ask is their own business: one
that is stored by a `Select` need not, everything it is made of is in the query.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import dagster as dg
import orjson
from dagster._core.execution.context.data_version_cache import InputAssetVersionInfo
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.outputs import StepOutputHandle

from marketing_platform.defs.io_managers.versions import NAME
from marketing_platform.releases.version import package_version

MADE_OF: Final = "made_of"
REUSED_FROM: Final = "reused_from"
COMPUTED_BECAUSE: Final = "computed_because"
_CODE = "code"
_DATA_VERSION = "dagster/data_version"  # tag of a materialization
_LONGEST = 80  # characters of what is given that are kept as they are
# What a materialization says of the very run that made it.
_OF_ONE_RUN = (MADE_OF, REUSED_FROM, COMPUTED_BECAUSE)
_COST = "cost/"


@dataclass(frozen=True)
class Kept:
    """What an asset returns instead of a value: it is what was stored before."""

    metadata: Mapping[str, dg.MetadataValue]  # of the materialization that it keeps


class KeepingIOManager(dg.IOManager, ABC):
    """An IO manager of things that are stored under a name, and can keep it."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store the value, or say where what was kept lies; what the asset said of this run stays."""
        if isinstance(obj, Kept):
            said = context.output_metadata
            context.add_output_metadata(
                {name: value for name, value in obj.metadata.items() if name not in said}
            )
        else:
            self.store(context, obj)

    @abstractmethod
    def store(self, context: dg.OutputContext, obj: Any) -> None:
        """Store a value and describe it."""

    @abstractmethod
    def holds(self, name: str) -> bool:
        """Whether something is stored under a name."""


def reusable(context: dg.AssetExecutionContext, asset: str | None = None, /, **given: object) -> Kept | None:
    """What was stored before, if it was made of just the same; else None, and the asset is computed.

    Called once per materialization, before anything costly:
    `if (before := reusable(context, neighbours=settings.similar_users)) is not None: return before`.

    Args:
        context: Of the asset.
        asset: Which one, where a step makes several.
        given: Whatever it depends on beside the code and the data versions of what it reads. Values of
            which `repr` tells all.
    """
    key = dg.AssetKey(asset) if asset else context.asset_key
    step = context.op_execution_context.get_step_execution_context()
    output = context.assets_def.get_output_name_for_asset_key(key)
    manager = step.get_io_manager(StepOutputHandle(step.step.key, output))
    reads = {upstream.path[-1]: version for upstream, version in _versions_read(step).items()}
    return find_kept(step, key, cast("KeepingIOManager", manager), {**reads, **given})


def made_by_this_code(instance: dg.DagsterInstance, asset: str) -> Mapping[str, dg.MetadataValue] | None:
    """What is told of the latest materialization, if just this code made it: the next may start from it."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    made = event.asset_materialization if event else None
    return made.metadata if made and _made_of(made).get(_CODE) == package_version() else None


def find_kept(
    step: StepExecutionContext, key: dg.AssetKey, manager: KeepingIOManager, given: Mapping[str, object]
) -> Kept | None:
    """As `reusable`, for something whose reads are among `given`.

    Whatever is found, what it is made of is noted with the materialization, also as its data version;
    who knows a better one (a hash of the content) sets that afterwards.
    """
    made_of = {name: _short(value) for name, value in sorted(given.items())} | {_CODE: package_version()}
    step.add_asset_metadata({MADE_OF: dg.MetadataValue.json(made_of)}, asset_key=key)
    set_data_version(step, key, orjson.dumps(made_of))
    event = step.instance.get_latest_materialization_event(key)
    before = event.asset_materialization if event else None
    because = _changed(before, made_of) or _gone(before, manager) if before else "it was never made"
    if event is None or before is None or because:
        step.add_asset_metadata({COMPUTED_BECAUSE: because}, asset_key=key)
        return None
    made_by = before.metadata.get(REUSED_FROM, dg.MetadataValue.dagster_run(event.run_id))
    step.add_asset_metadata({REUSED_FROM: made_by}, asset_key=key)
    step.log.info(
        f"{key.path[-1]} is not computed again: it was made of just the same by run {made_by.value}"
    )
    if version := (before.tags or {}).get(_DATA_VERSION):
        step.set_data_version(key, dg.DataVersion(version))
    return Kept({name: value for name, value in before.metadata.items() if _lasts(name)})


def set_data_version(step: StepExecutionContext, key: dg.AssetKey, content: bytes) -> None:
    """Name the content of an asset by its hash: what reads it is not computed again while that stays."""
    step.set_data_version(key, dg.DataVersion(hashlib.sha256(content).hexdigest()[:16]))


def version_read(step: StepExecutionContext, asset: str) -> str | None:
    """The data version of something that the asset at hand reads; None when it reads no such asset."""
    return next((v for key, v in _versions_read(step).items() if key.path[-1] == asset), None)


def _versions_read(step: StepExecutionContext) -> dict[dg.AssetKey, str]:
    """As Dagster notes them with the materialization, taken before the inputs were loaded."""
    return {key: _version(one) for key, one in (step.input_asset_records or {}).items()}


def _version(read: InputAssetVersionInfo | None) -> str:
    if read is None:
        return "never made"
    return read.data_version.value if read.data_version else f"event {read.storage_id}"


def _short(value: object) -> str:
    told = value if isinstance(value, str) else repr(value)
    return told if len(told) <= _LONGEST else hashlib.sha256(told.encode()).hexdigest()[:16]


def _changed(before: dg.AssetMaterialization, made_of: Mapping[str, str]) -> str:
    """In words what is not as it was; empty when all is."""
    was = _made_of(before)
    if not was:
        return "nobody knows what it was made of before"
    changed = [name for name in {**was, **made_of} if was.get(name) != made_of.get(name)]
    return f"changed: {', '.join(changed)}" if changed else ""


def _made_of(made: dg.AssetMaterialization) -> Mapping[str, str]:
    noted = made.metadata.get(MADE_OF)
    return cast("dict[str, str]", noted.value) if noted else {}


def _gone(before: dg.AssetMaterialization, manager: KeepingIOManager) -> str:
    name = str(before.metadata[NAME].value)
    return "" if manager.holds(name) else f"{name} is not stored any more"


def _lasts(name: str) -> bool:
    return name not in _OF_ONE_RUN and not name.startswith(_COST)
