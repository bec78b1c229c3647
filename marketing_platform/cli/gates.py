"""`marketing-platform gates …`: are the gates awake?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer
from rich.progress import Progress

from marketing_platform.cli.options import settings_of
from marketing_platform.cli.output import JsonOption, emit_json, emit_table, progress_console

if TYPE_CHECKING:
    from marketing_platform.gates import Rule, Suites
    from marketing_platform.gates.trial import Trial
    from marketing_platform.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Try the rules under expectations/.")


@app.callback()
def gates() -> None:
    """Try the rules under expectations/."""


@app.command("test")
def plant_examples(as_json: JsonOption = False) -> None:
    """Plant each rule's example into a good sample; exit 1 unless exactly that rule stops it.

    Row rules judge the sample as they do in a run. Table and batch rules are tried on the real
    jobs, each in an installation of its own in a temporary folder: exactly that check must fail,
    and no release may come of it. Takes one to two minutes.
    """
    from marketing_platform.gates import load_suites

    settings = settings_of()
    suites = load_suites(settings.expectations_dir)
    gates = [rule for rule in suites.rules if rule.level != "row"]
    with Progress(console=progress_console, disable=not progress_console.is_terminal) as progress:
        task = progress.add_task("Planting examples", total=len(suites.rules) + len(gates) + 1)
        trials: list[Trial] = []
        for trial in _trials(settings, suites, gates):
            progress.update(task, advance=1, description=trial.rule)
            trials.append(trial)
    asleep = [trial for trial in trials if not trial.ok]
    if as_json:
        emit_json({"rules": len(suites.rules), "ok": not asleep, "trials": trials})
    else:
        rows = (
            (
                trial.rule,
                trial.tried_on,
                trial.planted,
                ", ".join(trial.stopped_by),
                "ok" if trial.ok else f"NO: {trial.complaint}",
            )
            for trial in trials
        )
        emit_table(f"{len(suites.rules)} rules", ("rule", "on", "planted", "stopped by", "ok"), rows)
    if asleep:
        raise typer.Exit(1)


def _trials(settings: Settings, suites: Suites, gates: list[Rule]) -> Iterator[Trial]:
    from marketing_platform import catalog
    from marketing_platform.defs.rehearsal import Rehearsal
    from marketing_platform.gates.trial import good_sample, on_the_jobs, try_gates, try_good, try_rule
    from marketing_platform.ingestion.dry_run import dry_run

    now = datetime.now(UTC)
    yield from try_gates(suites, dry_run(suites, now=now), now=now)
    with TemporaryDirectory(prefix="gates-") as folder:
        rehearsal = Rehearsal(settings, Path(folder))
        good = rehearsal.land(*(good_sample(table, now=now) for table in catalog.tables()))
        yield on_the_jobs(try_good("every table", good))
        for rule in gates:
            yield on_the_jobs(try_rule(rule, rehearsal.land, now=now))
