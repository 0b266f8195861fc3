"""`moment-fortnox events example` and `status`: what a producer's programmer needs."""

from typing import Annotated

import typer

from cli.console import Json, connected, fail, out, print_json, say, shown, styled
from config.settings import load_producer_settings
from moment.examples import EXAMPLES, example_json
from operations.naming import check_company
from operations.outcomes import as_outcome, find_outcomes


def example(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(EXAMPLES)}.", metavar="TYPE")],
) -> None:
    """Print a complete event of a type, to copy."""
    if name not in EXAMPLES:
        fail(f"{name}: one of {', '.join(EXAMPLES)}", 2)
    typer.echo(example_json(name), nl=False)


def status(
    event_id: Annotated[str, typer.Argument(help="The event's id.", metavar="ID")],
    company: Annotated[str | None, typer.Option("--company", help="Only this company's.")] = None,
    json: Json = False,
) -> None:
    """Say what became of an event, in the fields of the stream moment:outcomes, for each company that has its id."""
    with connected(load_producer_settings) as services:
        if company:
            check_company(services, company)
        found = find_outcomes(services, event_id, company)
    for record in found:
        if json:
            print_json(as_outcome(record))
            continue
        number, voucher = record.document, f", voucher {record.voucher}" if record.voucher else ""
        made = f" as {number}{voucher}" if number else ""
        why = f": {say(record.reason)}" if record.reason else ""
        line = f"{shown(record.company)} {shown(record.key)} {styled(record.status)}{shown(made)}{shown(why)}"
        out.print(line, soft_wrap=True)
