"""`moment-fortnox expenses`: how each company stands, an import by hand, and what becomes of a supplier invoice."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, TaskID

from cli.console import CompanyArgument, Json, Utc, actor, connected, err, local_time, out, print_json
from cli.console import progress as progress_bar
from cli.lists import show_list
from messages.catalogue import say
from operations import expenses as operations
from operations.expenses import ExpenseStatus, ImportProgress, InvoiceExplanation

expenses = typer.Typer(no_args_is_help=True, help="Supplier invoices that come back to Moment as expenses.")

DAYS = 36_500  # Fortnox has nothing older
NUMBERS = {
    "queued": "toLookAt",
    "awaiting approval": "awaitingApproval",
    "failed": "failed",
    "sent": "supplierInvoicesSent",
}  # columns of `expenses status`, and their names in JSON
SHOWN = ("looked", "created", "corrected", "withdrawn", "skipped")


@expenses.command("status")
def show_status(
    company: Annotated[str | None, typer.Argument(help="Only this company.", metavar="COMPANY")] = None,
    utc: Utc = False,
    json: Json = False,
) -> None:
    """Show when each company is polled, how much is queued, and what Moment got."""
    with connected() as services:
        found = operations.status(services, company)
    if json:
        for one in found:
            print_json(_status_json(one))
        return
    if found or not out.is_terminal:
        show_list(("company", "next poll", *NUMBERS, "listing"), map(_status_row, found), right=tuple(NUMBERS))
    else:
        out.print("no company imports its expenses")


def _status_row(one: ExpenseStatus) -> dict[str, str]:
    found = _status_json(one)
    return {
        "company": one.company,
        "next poll": local_time(one.next_poll) if one.next_poll else "off",
        **{name: str(found[field]) for name, field in NUMBERS.items()},
        "listing": ", ".join(f"page {each['page']} of {each['pages'] or '?'}" for each in found["listing"]),
    }


@expenses.command("import")
def import_expenses(
    company: CompanyArgument,
    days_back: Annotated[
        int, typer.Option(help="Sync everything that changed in Fortnox within so many days.", min=1, max=DAYS)
    ],
    timeout: Annotated[float, typer.Option(min=0, help="Stop watching after this many seconds; status 1 then.")] = 600,
    json: Json = False,
) -> None:
    """Sync again every supplier invoice that changed lately, so that Moment agrees.

    A worker does it, so it goes on when this command is stopped.
    """
    with connected() as services:
        last = _watch(operations.import_(services, company, days_back, timeout, by=actor()))
    failed = last.counts["needAPerson"]
    left = 0 if last.done else last.left
    if not last.done:
        err.print(f"stopped watching after {timeout:.0f} s; the import goes on")
    if json:
        print_json({"company": company, **{what: last.counts[what] for what in SHOWN}, "failed": failed, "left": left})
    else:
        out.print(f"{last.counts['looked']} supplier invoices synced: {_counted(last.counts)}")
        if failed:
            out.print(f"[red]{failed} need a person[/]: moment-fortnox events list --company {company} --status failed")
    if left or failed:
        raise typer.Exit(1)


@expenses.command()
def explain(
    company: CompanyArgument,
    given_number: Annotated[
        str, typer.Argument(help="The supplier invoice's number in Fortnox.", metavar="GIVENNUMBER")
    ],
    json: Json = False,
) -> None:
    """Show row by row what of a supplier invoice is, or would be, in Moment, and why the rest is not."""
    with connected() as services:
        found = operations.explain(services, company, given_number)
    if json:
        print_json(_explanation_json(company, found))
        return
    invoice = found.reading.invoice
    assert invoice is not None
    out.print(f"Supplier invoice {given_number}: {escape(f'{invoice.supplier_name} {invoice.invoice_number}')}, "
              f"{invoice.invoice_date}, {'posted' if invoice.booked else 'not posted'}"
              f"{', cancelled' if invoice.cancelled else ''}")  # fmt: skip
    rows = [
        {
            "row": str(row.number),
            "account": str(row.account or ""),
            "project": row.project or "",
            "amount": f"{row.amount:.2f}",
            "in Moment": str(state),
            "why": say(row.reason.message) if row.reason else "",
        }
        for row, state in found.rows
    ]
    show_list(("row", "account", "project", "amount", "in Moment", "why"), rows, below={"why": ""}, right=("amount",))
    for place in found.withdrawn_rows:
        out.print(f"the expense of row {place}, which is gone, is in Moment: it would be withdrawn")
    if found.failure:
        out.print(f"[red]failed[/]: moment-fortnox events show {company} {found.failure}")


def _watch(steps: Iterator[ImportProgress]) -> ImportProgress:
    """Show the import's progress until it ends. Return the last step."""
    waited_for = ""
    with progress_bar() as bar:
        task = bar.add_task("Listing", total=None)
        for step in steps:
            if (waits_for := say(step.waits_for)) != waited_for:
                waited_for = waits_for
                bar.console.print(f"[yellow]waits[/]: {escape(waits_for)}" if waits_for else "goes on")
            _show(bar, task, step)
    return step


def _show(bar: Progress, task: TaskID, step: ImportProgress) -> None:
    most = max(bar.tasks[task].total or 0, step.left)
    if listing := step.listing:
        bar.update(task, description=f"Listing, page {listing.page} of {listing.pages or '?'}", total=most)
    else:
        bar.update(task, description="Syncing", total=most, completed=most - step.left)


def _counted(counts: Mapping[str, int]) -> str:
    words = [f"{counts[what]} {what}" for what in ("created", "corrected", "withdrawn") if counts[what]]
    return (", ".join(words) or "nothing to change") + f"; {counts['skipped']} rows did not count"


def _status_json(one: ExpenseStatus) -> dict[str, Any]:
    return {
        "company": one.company,
        "nextPoll": one.next_poll.isoformat(timespec="seconds") if one.next_poll else None,
        "poll": {"status": one.poll.status, "reason": say(one.poll.reason)} if one.poll else None,
        **one.state,
        "failed": one.failed,
    }


def _explanation_json(company: str, found: InvoiceExplanation) -> dict[str, Any]:
    return {
        "company": company,
        "givenNumber": found.reading.number,
        "rows": [
            {
                "row": row.number,
                "account": row.account,
                "project": row.project,
                "amount": f"{row.amount:.2f}",
                "state": state,
                "reason": say(row.reason.message) if row.reason else "",
                "expense": row.expense.fields() if row.expense else None,
            }
            for row, state in found.rows
        ],
        "withdrawnRows": list(found.withdrawn_rows),
        "failure": found.failure,
        "paused": None if found.paused is None else say(found.paused),
    }
