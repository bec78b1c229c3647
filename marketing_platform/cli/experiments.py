"""`marketing-platform experiments …`: A/B tests: which there are, who is in which arm, what they showed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import ExperimentError, InputError, UnknownRelease

if TYPE_CHECKING:
    from marketing_platform.experiments.spec import Experiment
    from marketing_platform.releases.manifest import Manifest
    from marketing_platform.settings import Settings

app = typer.Typer(
    help="A/B tests: which there are, who is in which arm, what they showed.", no_args_is_help=True
)

ExperimentsDir = Annotated[
    Path | None,
    typer.Option(
        "--experiments",
        help="Folder with a file per experiment, metrics.yaml and holdout.yaml.",
        envvar="MARKETING_EXPERIMENTS_DIR",
        exists=True,
        file_okay=False,
    ),
]


@app.command("list")
def list_experiments(folder: ExperimentsDir = None, as_json: JsonOption = False) -> None:
    """Every declared experiment."""
    from marketing_platform.experiments.loading import load_declarations

    declared = load_declarations(_folder(folder))
    if as_json:
        emit_json([one.model_dump(mode="json", by_alias=True) for one in declared.experiments])
        return
    rows = [
        (
            *(one.name, f"{one.surface}: {one.about}", _arms(one), f"{one.starts} to {one.ends or '…'}"),
            f"{one.metric} in {one.within_days} days",
        )
        for one in declared.experiments
    ]
    columns = ["experiment", "about", "arms (* control)", "days", "metric"]
    emit_table(f"{len(rows)} experiment(s)", columns, rows)


@app.command()
def validate(folder: ExperimentsDir = None, as_json: JsonOption = False) -> None:
    """Say that the declarations are right, or all that is wrong with them (exit code 1)."""
    from marketing_platform.experiments.loading import load_declarations

    try:
        declared = load_declarations(_folder(folder))
    except ExperimentError as error:
        problems = str(error).splitlines()
        if as_json:
            emit_json({"experiments": [], "errors": problems})
        else:
            emit_problems(problems)
        raise typer.Exit(1) from None
    names = [one.name for one in declared.experiments]
    if as_json:
        emit_json({"experiments": names, "errors": []})
        return
    held = f", {declared.holdout.share:.1%} of all users are in none" if declared.holdout else ""
    console.print(f"{len(names)} experiment(s) by {len(declared.metrics)} metrics are right{held}")


@app.command()
def assign(
    user_id: Annotated[str, typer.Argument(help="The user.")],
    day: Annotated[
        datetime | None, typer.Option(help="Another day than today.", formats=["%Y-%m-%d"])
    ] = None,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Which arms a user gets of the release that serves, or of the declarations before there is one."""
    from contextlib import ExitStack

    from marketing_platform.experiments.loading import load_experiments
    from marketing_platform.experiments.released import open_experiments
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    manifest = _serving(settings)
    on = (day or datetime.now(UTC)).date()
    with ExitStack() as closing:
        if manifest is None:
            experiments = load_experiments(settings.experiments_dir)
        else:
            experiments = open_experiments(manifest, open_stores(settings), closing)
        got = {
            (one.surface, one.about): experiments.assign(
                surface=one.surface, about=one.about, user_id=user_id, day=on
            )
            for one in experiments.declared.experiments
        }
    found = [
        {
            "surface": surface,
            "about": about,
            "experiment": one.experiment,
            "variant": one.variant,
            "list": one.arm.list,
            "takes_part": one.exposed,
        }
        for (surface, about), one in got.items()
        if one is not None
    ]
    if as_json:
        document = {"user_id": user_id, "day": on, "held_out": experiments.held_out(user_id)}
        emit_json({**document, "release_id": manifest.release_id if manifest else None, "assignments": found})
        return
    held = "; in no experiment, to measure what all are worth" if experiments.held_out(user_id) else ""
    emit_table(
        f"{user_id} on {on}{held}",
        ["surface", "about", "experiment", "variant", "list", "takes part"],
        [list(one.values()) for one in found],
    )


@app.command()
def results(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; all if left out.")] = None,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """What the release that serves says of each experiment; intervals hold however often one looks."""
    from marketing_platform.experiments.released import RESULTS
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    manifest = _serving(settings)
    if manifest is None:
        raise UnknownRelease("nothing is released yet; `marketing-platform run` makes a release")
    if RESULTS not in manifest.reports:
        raise UnknownRelease(
            f"{manifest.release_id} has no experiments; `marketing-platform run` makes the next release"
        )
    found = open_stores(settings).reports.read(manifest.reports[RESULTS].name)["results"]
    known = [one["experiment"] for one in found]
    if experiment is not None and experiment not in known:
        raise InputError(
            f"there is no experiment {experiment!r}; {manifest.release_id} has {', '.join(known)}"
        )
    wanted = [one for one in found if experiment in (None, one["experiment"])]
    if as_json:
        emit_json({"release_id": manifest.release_id, "results": wanted})
        return
    for one in wanted:
        _show(one)


def _arms(one: Experiment) -> str:
    weights = zip(one.arms, one.weights, strict=True)
    return ", ".join(
        f"{arm.arm}{'*' if arm.arm == one.control else ''} {weight:.0%}" for arm, weight in weights
    )


def _show(one: dict[str, Any]) -> None:
    rows = [_row(arm, of) for arm in one["arms"] for of in arm["metrics"]]
    title = f"{one['experiment']}: {one['status']}, {one['users']:,} users"
    emit_table(title, ["arm", "users", "metric", "did", "rate", "lift", "between", "p"], rows)
    told = [one["hypothesis"]]
    if one["decision"]:
        told.append(f"{one['decision']['outcome']} on {one['decision']['day']}: {one['decision']['reason']}")
    if one["sample_ratio_mismatch"]:
        told.append("the arms are not as large as drawn, beyond chance: do not trust these figures")
    if one["users_in_two_arms"]:
        told.append(f"{one['users_in_two_arms']:,} users were shown two arms, and are left out")
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _row(arm: dict[str, Any], of: dict[str, Any]) -> Sequence[Any]:
    name = f"{arm['arm']}*" if arm["control"] else arm["arm"]
    between = (
        ""
        if of["low"] is None
        else f"{of['low']:+.1%} to {'any' if of['high'] is None else format(of['high'], '+.1%')}"
    )
    lift = None if of["lift"] is None else f"{of['lift']:+.1%}"
    rate = None if of["rate"] is None else f"{of['rate']:.2%}"
    return (name, arm["users"], of["metric"], of["converted"], rate, lift, between, of["p"])


def _serving(settings: Settings) -> Manifest | None:
    from marketing_platform.releases.records import open_records

    shelf = open_records(settings).shelf
    current = shelf.current()
    return None if current is None else shelf.load(current)


def _folder(given: Path | None) -> Path:
    return (given or settings_of().experiments_dir).resolve()
