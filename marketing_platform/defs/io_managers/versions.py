"""How materializations are named, and how the latest name of an asset is found again."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from marketing_platform.errors import UnknownName

NAME = "name"


def version_name(asset: str, run_id: str) -> str:
    """The name under which a run stores an asset; a retry within the run replaces it as a whole."""
    return f"{asset}__{run_id.replace('-', '')[:12]}"


def latest_metadata(instance: dg.DagsterInstance, asset: str) -> Mapping[str, dg.MetadataValue]:
    """The metadata of the latest materialization of an asset; UnknownName before the first."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    materialization = event.asset_materialization if event else None
    if materialization is None:
        raise UnknownName(f"{asset} was never materialized; materialize it first")
    return materialization.metadata


def latest_name(instance: dg.DagsterInstance, asset: str) -> str:
    """The name under which the latest materialization of an asset is stored."""
    return str(latest_metadata(instance, asset)[NAME].value)


def latest_figure(instance: dg.DagsterInstance, asset: str, figure: str) -> float | None:
    """A number in the metadata of the latest materialization of an asset; None when it is not there."""
    found = latest_metadata(instance, asset).get(figure)
    return None if found is None else float(str(found.value))


def output_name(context: dg.OutputContext) -> str:
    """The name for the output at hand."""
    return version_name(context.asset_key.path[-1], context.run_id)


def input_name(context: dg.InputContext) -> str:
    """The name of the upstream materialization that Dagster notes as consumed: the latest."""
    return latest_name(context.instance, context.asset_key.path[-1])
