"""Assembles the commands."""

import os
import sys
from typing import Annotated

import typer

from cli.lazy import Command, group
from cli.logs import in_process_of_command
from cli.usage import OneLineGroup

COMMANDS = {
    "demo": Command("cli.local:demo", "Watch a sample working day go from Moment into Fortnox, on this machine."),
    "up": Command(
        "cli.local:up",
        "Leave the whole system running on this machine, with a sample day, the console and Flower, until Ctrl-C.",
    ),
    "sandbox": Command("cli.local:sandbox", "Run only the local stand-ins for Fortnox, Moment and SMTP, until Ctrl-C."),
    "publish": Command(
        "cli.publish:publish",
        "Publish events from a file (JSON lines, one object, or an array): all are valid, or none is accepted.",
    ),
    "status": Command(
        "cli.status:status", "Show how many events are waiting, ready, running, retrying, held, failed and done."
    ),
    "wait": Command(
        "cli.status:wait",
        "Wait until no event is waiting, ready, running or retrying. Held and failed ones are not waited for.",
    ),
    "health": Command(
        "cli.health:health", "Check that Redis keeps its data, due events move on, workers take them, and beat runs."
    ),
    "metrics": Command(
        "cli.metrics:metrics",
        "Serve the metrics for Prometheus at /metrics, read from Redis at each request, until Ctrl-C.",
    ),
    "console": Command("cli.serve:console", "Serve the web console, until Ctrl-C."),
    "events": Command("cli.events:events", "Find events and export them, retry failed ones, skip them."),
    "failures": Command(
        "cli.failures:failures",
        "List what failed by its cause: how many events, of which companies, since when, and what retries them.",
    ),
    "audit": Command(
        "cli.audit:audit",
        "List who did what and when, newest first: from the command line, the console, a mail's link or a program.",
    ),
    "companies": Command("cli.companies:companies", "Connect companies to their Fortnox ledgers."),
    "expenses": Command("cli.expenses:expenses", "Supplier invoices that come back to Moment as expenses."),
    "keys": Command("cli.keys:keys", "Keys that seal secrets at rest, and keys of producers' programs."),
}

cli = typer.Typer(
    name="moment-fortnox",
    cls=group(COMMANDS, OneLineGroup),
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # `main` reports what nobody expected
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("moment-fortnox"))
        raise typer.Exit


@cli.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Carries customers, projects and invoices from Moment into Fortnox, and expenses back: in order, once."""


def main() -> None:
    """Run a command. An error that it did not expect ends it with one line; the traceback goes to a file."""
    _open_streams()
    in_process_of_command()
    try:
        cli()
    except Exception as error:  # noqa: BLE001 - the last resort
        from cli.unexpected import report

        sys.exit(report(error))


def _open_streams() -> None:
    """Let a closed standard stream be an empty one, and one that is not UTF-8 take every character."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - until this process ends
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
