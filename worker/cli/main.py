"""Assembles the commands."""

import typer

from worker.cli import export, mending  # noqa: F401 - they add their commands to `events`
from worker.cli.companies import companies
from worker.cli.events import events
from worker.cli.expenses import expenses
from worker.cli.health import health
from worker.cli.keys import keys
from worker.cli.local import demo, sandbox, up
from worker.cli.metrics import metrics
from worker.cli.publish import publish
from worker.cli.status import status, wait

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
