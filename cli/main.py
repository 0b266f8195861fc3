"""Assembles the commands."""

import typer

from cli import export, retry  # noqa: F401 - they add their commands to `events`
from cli.companies import companies
from cli.events import events
from cli.expenses import expenses
from cli.health import health
from cli.keys import keys
from cli.local import demo, sandbox, up
from cli.metrics import metrics
from cli.publish import publish
from cli.status import status, wait

cli = typer.Typer(
    name="moment-fortnox",
    help="Carries customers, projects and invoices from Moment into Fortnox, and expenses back: in order, once.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold customers' data
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, up, sandbox, publish, status, wait, health, metrics):
    cli.command()(command)
cli.add_typer(events, name="events")
cli.add_typer(companies, name="companies")
cli.add_typer(expenses, name="expenses")
cli.add_typer(keys, name="keys")


def main() -> None:
    cli()
