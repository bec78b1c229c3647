"""All commands together."""

from __future__ import annotations

import typer

from marketing_platform.cli import (
    ask,
    batches,
    boards,
    consume,
    dashboard,
    demo,
    doctor,
    documents,
    email,
    evaluate,
    experiments,
    features,
    gates,
    keys,
    kpis,
    quarantine,
    releases,
    rules,
    run,
    sample,
    segments,
    serve,
    sources,
    webhooks,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Landed files to checked, released, explained recommendations. "
    "Settings come from MARKETING_… variables.",
)
app.command("ask")(ask.ask)
app.command("board")(boards.board)
app.command("run")(run.run)
app.command("consume")(consume.consume)
app.command("dashboard")(dashboard.dashboard)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("documents")(documents.documents)
app.command("evaluate")(evaluate.evaluate)
app.command("serve")(serve.serve)
app.command("up")(serve.up)
app.add_typer(sources.app, name="sources", help="Declared sources: check them, try them on a file.")
app.add_typer(
    batches.app, name="batches", help="What landed and what became of it.", invoke_without_command=True
)
app.add_typer(quarantine.app, name="quarantine", help="Records that were refused, with reasons; replay them.")
app.add_typer(gates.app, name="gates", help="Prove that every rule stops what it should stop.")
app.add_typer(features.app, name="features", help="Features of users, campaigns and products; training sets.")
app.add_typer(segments.app, name="segments", help="Segments of users: who belongs to them, lists for others.")
app.add_typer(rules.app, name="rules", help="Rules about recommendations: check them.")
app.add_typer(boards.app, name="boards", help="Designs of vision boards: check them.")
app.add_typer(kpis.app, name="kpis", help="Figures: which there are, and what they are.")
app.add_typer(experiments.app, name="experiments", help="A/B tests: who is in which arm, what they showed.")
app.add_typer(releases.app, name="releases", help="What is served, what was served, and going back.")
app.add_typer(keys.app, name="keys", help="Who may call the API: keys, what they permit, until when.")
app.add_typer(webhooks.app, name="webhooks", help="Who is told of what, and what did not arrive.")
app.add_typer(email.app, name="email", help="E-mails: templates, looking at one, sending campaigns.")
app.add_typer(sample.app, name="sample", help="Made-up data of a shop, to try things with.")
