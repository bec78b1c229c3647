"""`marketing-platform gates …`: are the gates awake?"""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from marketing_platform.cli.output import JsonOption, emit_json, emit_table, progress_console
from marketing_platform.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Try the rules under expectations/.")


@app.callback()
def gates() -> None:
    """Try the rules under expectations/."""


@app.command("test")
def plant_examples(as_json: JsonOption = False) -> None:
    """Plant each rule's example into a good sample; exit 1 unless exactly that rule stops it."""
    from marketing_platform.gates import load_suites
    from marketing_platform.gates.dry_run import dry_run
    from marketing_platform.gates.trial import try_gates

    suites = load_suites(load_settings().expectations_dir)
    now = datetime.now(UTC)
    with progress_console.status(f"Planting the examples of {len(suites.rules)} rules"):
        trials = list(try_gates(suites, dry_run(suites, now=now), now=now))
    asleep = [trial for trial in trials if not trial.ok]
    if as_json:
        emit_json({"rules": len(suites.rules), "ok": not asleep, "trials": trials})
    else:
        rows = (
            (
                trial.rule,
                trial.planted,
                ", ".join(trial.stopped_by),
                "ok" if trial.ok else f"NO: {trial.complaint}",
            )
            for trial in trials
        )
        emit_table(f"{len(suites.rules)} rules", ("rule", "planted", "stopped by", "ok"), rows)
    if asleep:
        raise typer.Exit(1)
