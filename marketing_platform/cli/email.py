"""`marketing-platform email …`: templates, one e-mail to look at, sending campaigns, what became of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import EmailError, ExperimentError, InputError, SegmentError
from marketing_platform.releases.records import open_records

if TYPE_CHECKING:
    from marketing_platform.mailing.sending import Report
    from marketing_platform.releases.mail import Recorded

app = typer.Typer(no_args_is_help=True)


class SendState(StrEnum):
    """How far a send is."""

    SENDING = "sending"
    SENT = "sent"
    WAITING = "waiting"
    DEAD = "dead"
    UNKNOWN = "unknown"


@app.command()
def templates(json: JsonOption = False) -> None:
    """Templates with their languages, variants and fields, and campaigns."""
    from marketing_platform.mailing.opening import declared_templates

    declared = declared_templates(settings_of())
    if json:
        emit_json(
            {
                "templates": {
                    name: {**one.declared.model_dump(mode="json", by_alias=True), "locales": one.locales}
                    for name, one in declared.by_name.items()
                },
                "campaigns": [one.model_dump() for one in declared.campaigns],
            }
        )
        return
    emit_table(
        "templates",
        ["template", "languages", "variants", "fields", "fresh (h)", "description"],
        [
            (
                name,
                ", ".join(one.locales),
                ", ".join(one.variants),
                ", ".join(each.field for each in one.declared.fields),
                one.declared.fresh_hours,
                one.declared.description,
            )
            for name, one in declared.by_name.items()
        ],
    )
    emit_table(
        "campaigns",
        ["campaign", "segment", "template", "every", "scheduled"],
        [(one.campaign, one.segment, one.template, one.every, one.scheduled) for one in declared.campaigns],
    )


@app.command()
def validate(json: JsonOption = False) -> None:
    """Say how many templates and campaigns there are, or all that is wrong (exit code 1)."""
    from marketing_platform.mailing.opening import declared_templates, misfits

    errors: list[str] = []
    counts = {"templates": 0, "campaigns": 0}
    try:
        settings = settings_of()
        declared = declared_templates(settings)
        counts = {"templates": len(declared.by_name), "campaigns": len(declared.campaigns)}
        errors = misfits(settings, declared)
    except (EmailError, ExperimentError, SegmentError) as error:
        errors = str(error).splitlines()
    if json:
        emit_json({**counts, "errors": errors})
    elif not errors:
        console.print(f"{counts['templates']} templates, {counts['campaigns']} campaigns")
    emit_problems([] if json else errors)
    if errors:
        raise typer.Exit(1)


@app.command()
def render(
    template: Annotated[str, typer.Argument(help="The template.")],
    user: Annotated[str, typer.Option("--user", help="Whom it is for.")],
    locale: Annotated[
        str | None, typer.Option("--locale", help="Not in the user's language but in this one.")
    ] = None,
    variant: Annotated[str, typer.Option("--variant", help="Which wording.")] = "control",
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the page and the text.", file_okay=False)
    ] = None,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """One e-mail as the release that serves makes it; nothing is sent."""
    from marketing_platform.content.email.rendering import Wish
    from marketing_platform.mailing.opening import render_one

    rendered = render_one(settings_of(data_dir), template, user, Wish(locale=locale, variant=variant))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{template}.html").write_text(rendered.html, encoding="utf-8")
        (output / f"{template}.txt").write_text(rendered.text, encoding="utf-8")
    if json:
        emit_json(
            {
                "template": rendered.template,
                "locale": rendered.locale,
                "variant": rendered.variant,
                "subject": rendered.subject,
                "preview_text": rendered.preview_text,
                "html_content": rendered.html,
                "text_content": rendered.text,
            }
        )
        return
    console.print(f"[bold]{rendered.subject}[/]" if not output else f"{output}/{template}.html and .txt")
    console.print(rendered.text, markup=False, highlight=False, soft_wrap=True)


@app.command()
def send(
    campaign: Annotated[str, typer.Argument(help="The campaign, of campaigns.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who would get it.")] = False,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Send a campaign to its segment, once to each within its period (exit code 1: it had to stop)."""
    from marketing_platform.mailing.opening import send_now

    report = send_now(settings_of(data_dir), campaign, dry_run=dry_run)
    if json:
        emit_json(report.document())
    else:
        _show(report, dry_run=dry_run)
    if report.stopped is not None:
        raise typer.Exit(1)


@app.command()
def sends(
    state: Annotated[SendState | None, typer.Option("--state", help="Only those.")] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", help="Only of this campaign.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """What was sent and what was not, the latest first, with the reason."""
    ledger = open_records(settings_of(data_dir)).mail
    found = ledger.sends(state=state.value if state else None, campaign=campaign, limit=limit)
    if json:
        emit_json([_document(one) for one in found])
        return
    columns = ["campaign", "period", "user", "variant", "state", "attempts", "at (UTC)", "problem"]
    rows = [
        (
            *one.send[:3],
            one.send.variant,
            one.state,
            one.attempts,
            f"{one.claimed_at:%Y-%m-%d %H:%M}",
            one.problem,
        )
        for one in found
    ]
    emit_table(f"{len(found)} sends", columns, rows)


@app.command()
def resubscribe(
    user: Annotated[str, typer.Argument(help="Who wants e-mails again.")], data_dir: DataDir = None
) -> None:
    """Let a user get e-mails again who had unsubscribed; their consent must be in the data as well."""
    if not open_records(settings_of(data_dir)).mail.resubscribe(user):
        raise InputError(f"{user!r} has not unsubscribed")
    console.print(f"{user} gets e-mails again, if the release says that they agreed", markup=False)


def _show(report: Report, *, dry_run: bool) -> None:
    done = (
        [("would be sent", report.ready)]
        if dry_run
        else [
            ("sent", report.sent),
            ("refused for now", report.waiting),
            ("given up", report.dead),
            ("unknown", report.unknown + report.abandoned),
        ]
    )
    left_out = [(f"left out: {reason}", count) for reason, count in sorted(report.left_out.items())]
    title = f"{report.campaign}, {report.period}: {report.members:,} users, {report.release_id}"
    emit_table(title, ["", "users"], [*done, *left_out])
    if report.stopped is not None:
        emit_problems([report.stopped])


def _document(one: Recorded) -> dict[str, Any]:
    return {
        **one.send._asdict(),
        "send_id": one.send.send_id,
        "state": one.state,
        "attempts": one.attempts,
        "claimed_at": one.claimed_at,
        "problem": one.problem,
    }
