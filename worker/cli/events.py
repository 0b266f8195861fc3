"""`moment-fortnox events`: look at events, run failed ones again, give one up."""

import getpass
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from tasks.existing import ACCEPTED
from tasks.house import House
from worker.cli.console import Json, connected, err, fail, out, print_json, styled
from worker.ordering import EventRecord
from worker.ordering.engine import STATUSES

events = typer.Typer(no_args_is_help=True, help="Look at events, retry failed ones, skip one.")

Company = Annotated[str | None, typer.Option("--company", help="Only this company's.")]
CompanyArgument = Annotated[str, typer.Argument(help="The company's code.", metavar="COMPANY")]
IdArgument = Annotated[str, typer.Argument(help="The event's id.", metavar="ID")]


@events.command("list")
def list_events(
    company: Company = None,
    status: Annotated[str | None, typer.Option(help=f"Only these: one of {', '.join(STATUSES)}.")] = None,
    key: Annotated[str | None, typer.Option(help="Only this ordering key, such as acme/invoice/1001.")] = None,
    json: Json = False,
) -> None:
    """List events that are under way or failed, with the reason."""
    if status is not None and status not in STATUSES:
        fail(f"--status {status}: one of {', '.join(STATUSES)}", 2)
    with connected() as app:
        found = [
            record
            for record in _records(app.house, company)
            if status in (None, record.status) and key in (None, record.key)
        ]
    if json:
        for record in found:
            print_json(as_json(record))
        return
    table = Table("company", "event", "what", "status", "attempts", "reason", box=None)
    for record in found:
        what = " ".join(record.key.split("/")[1:])
        row = (
            record.company,
            record.id,
            what,
            styled(record.status),
            str(record.attempts),
            escape(record.reason),
        )
        table.add_row(*row)
    out.print(table if found else "no such events")


def _records(house: House, company: str | None) -> Iterator[EventRecord]:
    for name in [company] if company else house.ordering.companies():
        yield from house.ordering.unsettled(name)
        yield from house.ordering.failed(name)


def as_json(record: EventRecord) -> dict[str, Any]:
    """One line of `events list --json`."""
    return {
        "id": record.id,
        "company": record.company,
        "type": record.type,
        "key": record.key,
        "status": record.status,
        "reason": record.reason,
        "remedy": record.remedy,
        "code": record.code,
        "attempts": record.attempts,
        "occurredAt": record.occurred_at.isoformat(),
        "acceptedAt": record.accepted_at.isoformat(),
        "settledAt": record.settled_at.isoformat() if record.settled_at else None,
    }


@events.command()
def show(company: CompanyArgument, event_id: IdArgument, json: Json = False) -> None:
    """Show one event: what became of it and why."""
    with connected() as app:
        record = app.house.ordering.event(company, event_id)
        progress = app.house.ordering.progress(company, event_id)
    if record is None:
        fail(f"{company} has no event {event_id}")
    fields = as_json(record) | {"steps": progress}
    if json:
        print_json(fields)
        return
    table = Table(show_header=False, box=None)
    for name, value in fields.items():
        if value not in ("", None, {}):
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
    out.print(table)


@events.command()
def retry(
    company: Annotated[str | None, typer.Argument(help="The company's code.")] = None,
    event_id: Annotated[str | None, typer.Argument(help="The event's id.", metavar="ID")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Every failed event (of the company).")] = False,
    accept_existing: Annotated[
        bool,
        typer.Option("--accept-existing", help="Take over what Fortnox has under the number, though it looks another."),
    ] = False,
) -> None:
    """Run a failed, skipped, held or retrying event again, now; or one that is done but for a missing file."""
    if all_failed and accept_existing:
        fail("--accept-existing is for one event: give a company and an event id", 2)
    if all_failed == (event_id is not None) or (company is None and not all_failed):
        fail("give a company and an event id, or --all-failed", 2)
    with connected() as app:
        chosen = (
            [(record.company, record.id) for record in _records(app.house, company) if record.status == "failed"]
            if all_failed
            else [(str(company), str(event_id))]
        )
        refused = 0
        for name, one in chosen:
            record = app.house.ordering.event(name, one)
            if record is not None and app.house.doors.opened_for(record):
                out.print(f"{name} {one}: {styled('ready')} (with all that waits for the same part of Fortnox)")
                continue
            became, _ = app.house.ordering.retry(name, one, mark=ACCEPTED if accept_existing else "")
            if became in ("", "unknown"):
                refused += 1
                reason = "no such event" if became == "unknown" else "it has nothing to retry in its status"
                err.print(f"{name} {one}: {reason}")
            else:
                note = " (a newer one of the same has gone through)" if became == "superseded" else ""
                out.print(f"{name} {one}: {styled(became)}{note}")
        if not chosen:
            out.print("no failed events")
    if refused:
        raise typer.Exit(1)


@events.command()
def skip(
    company: CompanyArgument,
    event_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "given up by hand",
) -> None:
    """Give up an event that is not running; what waited for it goes on."""
    with connected() as app:
        who = f"{reason} ({getpass.getuser()})"
        skipped, _ = app.house.ordering.skip(company, event_id, who)
    if not skipped:
        fail(f"{company} {event_id}: it is running, settled already, or unknown")
    out.print(f"{company} {event_id}: {styled('skipped')}")
