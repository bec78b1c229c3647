"""Writes docs/reference/ from the declarations and the code: `python -m scripts.reference`.

Each page is made by one function from what the platform itself reads, so that nothing is described
twice; a test fails while a committed page differs. Words about why belong in the other documents.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from dashboard.settings import DashboardSettings
from marketing_platform.access.api_settings import ApiSecretSettings
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.analytics import Aggregate, aggregates
from marketing_platform.analytics.kpis import load_registry
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.models import ModelSettings
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.catalog import Table, TableKind, tables
from marketing_platform.cli.app import app
from marketing_platform.content.board.image_settings import ImageSettings
from marketing_platform.encoders.provider_settings import ProviderSettings
from marketing_platform.gates import Rule, load_suites
from marketing_platform.graph import graph_model
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.diagnoses import SERVERS
from marketing_platform.stores.server_settings import variables
from marketing_platform.stores.spark_settings import SparkSettings
from scripts.markdown import code, grid
from scripts.reference_api import api_page
from serving.limits.settings import LimitSettings

FOLDER = PROJECT_DIR / "docs" / "reference"
_NOTE = "<!-- Written by `make reference`; edit what it was made from, not this file. -->"
_KINDS = {
    TableKind.FACT: "fact: every landed row counts, however often its key repeats",
    TableKind.ENTITY: "entity: one row per key; of each column the latest value that is not empty",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def pages() -> dict[str, str]:
    """Every page by file name."""
    made = {
        "tables.md": tables_page(),
        "kpis.md": kpis_page(),
        "settings.md": settings_page(),
        "cli.md": cli_page(),
        "api.md": api_page(),
        "graph.md": graph_page(),
        "assets.md": assets_page(),
    }
    return {name: "\n".join([_NOTE, "", *lines, ""]) for name, lines in made.items()}


def tables_page() -> Iterator[str]:
    """Canonical tables and aggregates: columns and rules."""
    suites = load_suites(PROJECT_DIR / "expectations")
    yield """# Tables

What a row is, declared in `marketing_platform/catalog/tables/`, with the rules of `expectations/`.
A row rule sends the record to quarantine, a table rule blocks the release, a batch rule holds the
batch ([gates](../gates.md)). Money is exact to six decimals, moments are UTC. Every row of a fact
table also carries `batch_id` and `row_ordinal`, its place in what landed."""
    for table in tables().values():
        yield from _table(table)
        yield from _rules((*suites.row_rules(table.name), *suites.table_rules(table.name)))
    yield from ("", "# Batches", "", "Whether what landed is admitted to a release.")
    yield from _rules(suites.batch_rules())
    yield """
# Aggregates

Each computed by one query, declared with it in `marketing_platform/analytics/aggregates/`."""
    for aggregate in aggregates().values():
        yield from _table(aggregate)


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"## {table.name}", "", table.description, "")
    if isinstance(table, Aggregate):
        yield f"- Read from: {code(table.reads)}"
    else:
        yield f"- Kind: {_KINDS[table.kind]}"
    yield f"- Key: {code(table.key)}"
    if table.time:
        yield f"- Time: `{table.time}`"
    if table.seen_in:
        yield f"- Keys seen only here get a row too: {code(f'{p.table}.{p.column}' for p in table.seen_in)}"
    yield ""
    yield from grid(
        ("column", "type", "meaning"),
        (
            (f"`{c.name}`", c.type.value, c.description + (" *Personal.*" if c.personal else ""))
            for c in table.columns
        ),
    )


def _rules(rules: Iterable[Rule]) -> Iterator[str]:
    yield ""
    yield from grid(
        ("rule", "level", "reason shown", "why"),
        ((f"`{rule.rule}`", rule.level, rule.reason, rule.description) for rule in rules),
    )


def kpis_page() -> Iterator[str]:
    """KPIs and what they are made of."""
    registry = load_registry(PROJECT_DIR / "kpis")
    yield """# KPIs

Declared in `kpis/registry.yaml` ([how they are worked out](../kpis.md)). Those that are not made of
customers can be broken down by day, week, month and quarter too.

## KPIs
"""
    yield from grid(
        ("KPI", "name", "is", "unit", "good is", "when the denominator is 0", "by"),
        (
            (
                *(f"`{kpi.kpi}`", kpi.name, kpi.formula, kpi.unit, kpi.direction, kpi.undefined or ""),
                code(name for name in registry.dimensions_of(kpi) if name not in TIME_BUCKETS),
            )
            for kpi in registry.kpis.values()
        ),
    )
    yield from ("", "## Measures", "")
    yield from grid(
        ("measure", "of", "meaning"),
        (
            (f"`{one.measure}`", f"`{registry.facts[one.fact].table}`", one.says)
            for one in registry.measures.values()
        ),
    )


def settings_page() -> Iterator[str]:
    """The environment variables."""
    yield """# Settings

Read from the environment when a command starts. Options of the command line go first.
"""
    yield from grid(
        ("variable", "default", "allowed", "meaning"),
        (*_variables(Settings), *_variables(WriteSettings)),
    )
    yield """
# Limits of the API

What a client, a request and a process may take; counts are of one process unless they say something else
([what happens then](../api.md#limits-and-errors)).
"""
    yield from grid(("variable", "default", "allowed", "meaning"), _variables(LimitSettings))
    yield """
# Webhooks

How they are sent, and how far a call's clock may be from ours ([automations](../automations.md)).
"""
    yield from grid(("variable", "default", "allowed", "meaning"), _variables(WebhookSettings))
    yield """
# E-mails

How they leave ([e-mails](../emails.md)); what they say is in `templates/email/`.
"""
    yield from grid(("variable", "default", "allowed", "meaning"), _variables(MailSettings))
    yield """
# Images of boards

How they are fetched when a release is made ([boards](../boards.md)).
"""
    yield from grid(("variable", "default", "allowed", "meaning"), _variables(ImageSettings))
    yield """
# Who may call

The secret that API keys are stored under, and the issuer whose tokens are taken beside them
([who may call](../access.md))."""
    for kind, model in (("API keys", ApiSecretSettings), ("Tokens", TokenSettings)):
        yield from ("", f"## {kind}", "")
        yield from grid(("variable", "default", "allowed", "meaning"), _variables(model))
    yield """
# Dashboard

Which API the [dashboard](../dashboard.md) asks, and with which key.
"""
    yield from grid(("variable", "default", "allowed", "meaning"), _variables(DashboardSettings))
    yield """
# Servers

Only read with `MARKETING_PROFILE=servers`, the stream's by `marketing-platform consume`, the encoder's
when `MARKETING_ENCODER` names a provider, the model that reads questions when
`MARKETING_QUESTIONS_PROVIDER` names one, Spark's with `MARKETING_COMPUTE=spark`. A secret is given by
its variable or by a file, never both; one that everybody knows is refused unless the server is on this
machine. `marketing-platform doctor` tries them all."""
    models = [(server.kind, server.settings()) for server in SERVERS]
    models += [("Encoder behind an API", ProviderSettings), ("Model that reads questions", ModelSettings)]
    models += [("Spark", SparkSettings)]
    for kind, model in models:
        yield from ("", f"## {kind}", "")
        yield from grid(("variable", "default", "allowed", "meaning"), _variables(model))


def _variables(model: type[BaseSettings]) -> Iterator[tuple[str, str, str, str]]:
    for variable, name in variables(model).items():
        field = model.model_fields[name]
        yield f"`{variable}`", _default(field), _allowed(field), field.description or ""


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required():
        return "required"
    if default is None:
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, Path) and default.is_relative_to(PROJECT_DIR):
        return f"`{default.relative_to(PROJECT_DIR)}` of the checkout"
    return f"`{default}`"


def _allowed(field: FieldInfo) -> str:
    bounds = [
        f"{words} {getattr(limit, bound):,}"
        for limit in field.metadata
        for bound, words in _BOUNDS.items()
        if getattr(limit, bound, None) is not None
    ]
    patterns = [f"`{limit.pattern}`" for limit in field.metadata if getattr(limit, "pattern", None)]
    choices = [f"`{choice}`" for choice in get_args(field.annotation) if isinstance(choice, str)]
    return ", ".join([*bounds, *patterns, *choices]) or _type_name(field.annotation)


def _type_name(annotation: Any) -> str:
    named: dict[Any, str] = {Path: "a path", SecretStr: "a secret", bool: "`true`, `false`"}
    named |= dict.fromkeys((int, float), "a number")
    return next((named[one] for one in (annotation, *get_args(annotation)) if one in named), "text")


def cli_page() -> Iterator[str]:
    """The command line."""
    yield """# Command line

`marketing-platform --help` says the same. Known errors end with one message and exit code 1."""
    for path, command in commands():
        if command.params or not getattr(command, "commands", None):
            yield from ("", f"## {' '.join(path)}", "", (command.help or "").strip(), "")
            yield from grid(
                ("", "default", "meaning"),
                ((_usage(parameter), _given(parameter), parameter.help) for parameter in command.params),
            )


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of `marketing-platform` with the words that call it."""

    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield (*path, name), inner
            yield from below((*path, name), inner)

    yield from below(("marketing-platform",), typer.main.get_command(app))


def _usage(parameter: Any) -> str:
    name = parameter.opts[0]
    shown = f"`{name.upper()}`" if parameter.param_type_name == "argument" else f"`{name}`"
    variable = f", or `{parameter.envvar}`" if parameter.envvar else ""
    return shown + variable


def _given(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"


def graph_page() -> Iterator[str]:
    """Labels and relations of the knowledge graph."""
    model = graph_model()
    yield """# Knowledge graph

Declared in `labels.yaml` and `relations.yaml` below `marketing_platform/graph/`, each with the SQL
that fills it.
"""
    yield from ("```", *(f"(:{r.source})-[:{r.type}]->(:{r.target})" for r in model.relations), "```")
    for heading, declared in (
        ("Labels", [(label.label, label) for label in model.labels]),
        ("Relations", [(relation.type, relation) for relation in model.relations]),
    ):
        yield from ("", f"# {heading}")
        for name, thing in declared:
            yield from ("", f"## {name}", "", thing.description, "")
            if thing.properties:
                yield from grid(
                    ("property", "type", "meaning"),
                    ((f"`{key}`", p.type.value, p.description) for key, p in thing.properties.items()),
                )


def assets_page() -> Iterator[str]:
    """The asset graph: what each asset is, what it reads, which checks judge it."""
    warnings.simplefilter("ignore")
    from marketing_platform.definitions import build_definitions

    definitions = build_definitions(Settings.model_construct())
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.toposorted_asset_keys]
    yield """# Assets

By group, in the order in which they can be made. A check marked *blocking* stops what follows in its
run, and no release is published without it; the checks of `validated_records` hold single batches."""
    for group in dict.fromkeys(node.group_name for node in nodes):
        yield from ("", f"## {group}", "")
        yield from grid(
            ("asset", "what it is", "reads", "checks"),
            (
                (
                    f"`{node.key.to_user_string()}`",
                    node.description or "",
                    code(sorted(key.to_user_string() for key in node.parent_keys)),
                    ", ".join(
                        f"`{key.name}`" + (" *blocking*" if graph.get(key).blocking else "")
                        for key in sorted(node.check_keys, key=lambda key: key.name)
                    ),
                )
                for node in nodes
                if node.group_name == group
            ),
        )
    for heading, things in (
        ("Jobs", definitions.jobs),
        ("Sensors", definitions.sensors),
        ("Schedules", definitions.schedules),
    ):
        yield from ("", f"## {heading}", "")
        yield from grid(
            ("name", "what it does"),
            ((f"`{thing.name}`", thing.description or "") for thing in things or ()),
        )


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
