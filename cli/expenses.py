"""`moment-fortnox expenses`: how the way back stands, an import by hand, and why a supplier invoice is what it is."""

import time
from collections import Counter
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from cli.console import CompanyArgument, Json, connected, err, fail, out, print_json, progress
from delivery.expenses import ExpenseSync, Inspection
from delivery.polling import POLL_ID, poll_asked
from delivery.services import Services
from fortnox.codes import explain as in_words
from fortnox.errors import FortnoxError
from mappers.expense_changes import place_of
from messages import Message
from messages.catalogue import say
from moment.errors import MomentError
from operations.health import TAKEN_AFTER
from operations.status import POLL
from ordering import EventRecord
from ordering.engine import UNSETTLED
from stores import NeverConnected
from stores.heartbeats import WORKER
from tasks.expenses import rules_of, switched_off

expenses = typer.Typer(no_args_is_help=True, help="Supplier invoices that come back to Moment as expenses.")

ASKED_AGAIN = 5.0  # seconds: a poll that ends just as it is asked for does not notice


@expenses.command("status")
def show_status(
    company: Annotated[str | None, typer.Argument(help="Only this company.", metavar="[COMPANY]")] = None,
    json: Json = False,
) -> None:
    """Show when each company is polled, what is still to be looked at, and what Moment got."""
    with connected() as services:
        if company and company not in services.ordering.companies():
            fail(f"{company}: no event of this company was ever accepted", 2)
        names = sorted(services.polling.polls.companies()) if company is None else [company]
        found = {name: standing(services, name) for name in names}
    if json:
        for one in found.values():
            print_json(one)
        return
    table = Table("company", "next poll", "to look at", "awaiting approval", "failed", "sent", "listing", box=None)
    for name, one in found.items():
        listing = ", ".join(f"page {each['page']} of {each['pages'] or '?'}" for each in one["listing"])
        numbers = (one[field] for field in ("toLookAt", "awaitingApproval", "failed", "supplierInvoicesSent"))
        table.add_row(name, one["nextPoll"] or "[dim]off[/]", *map(str, numbers), listing)
    out.print(table if found else "no company has its expenses brought back")


def standing(services: Services, company: str) -> dict[str, Any]:
    """What `expenses status --json` prints of a company."""
    next_poll, poll = services.polling.polls.next(company), services.ordering.event(company, POLL_ID)
    return {
        "company": company,
        "nextPoll": next_poll.isoformat(timespec="seconds") if next_poll else None,
        "poll": {"status": poll.status, "reason": say(poll.reason)} if poll else None,
        **services.stores.expenses(company).summary(),
        "failed": _failed(services, company),
    }


def _failed(services: Services, company: str) -> int:
    """How many supplier invoices a person has yet to do something about."""
    refs = [(company, event_id) for event_id in services.stores.expenses(company).failures().values()]
    return sum(record.status == "failed" for record in services.ordering.events(refs))


@expenses.command("import")
def import_expenses(
    company: CompanyArgument,
    days_back: Annotated[int, typer.Option(help="Look at all that changed in Fortnox within so many days.", min=1)],
    timeout: Annotated[float, typer.Option(help="Stop watching after this many seconds; status 1 then.")] = 600,
    json: Json = False,
) -> None:
    """Look again at every supplier invoice that changed lately, and make Moment agree.

    A worker does it, so it goes on when this command is stopped.
    """
    with connected() as services:
        _follows(services, company)
        before = Counter(services.stores.expenses(company).summary()["counts"])
        services.stores.expenses(company).ask_import(days_back)
        left = _watch(services, company, timeout)
        after = Counter(services.stores.expenses(company).summary()["counts"])
    failed = after["needAPerson"] - before["needAPerson"]
    done = {what: after[what] - before[what] for what in ("looked", "created", "corrected", "withdrawn", "skipped")}
    if json:
        print_json({"company": company, **done, "failed": failed, "left": left})
    else:
        out.print(f"{done['looked']} supplier invoices looked at: " + _in_words(done))
        if failed:
            out.print(f"[red]{failed} need a person[/]: moment-fortnox events list --company {company} --status failed")
    if left or failed:
        raise typer.Exit(1)


def _in_words(done: dict[str, int]) -> str:
    words = [f"{n} {what}" for what, n in done.items() if n and what not in ("looked", "skipped")]
    return (", ".join(words) or "nothing to change") + f"; {done['skipped']} rows did not count"


def _watch(services: Services, company: str, timeout: float) -> int:
    """Shows the import until it is through. Returns how many supplier invoices are left when the time is up."""
    deadline, told = time.monotonic() + timeout, ""
    poll_asked(services.ordering, company, anew=True)  # what failed before says nothing of now
    asked = time.monotonic()
    with progress() as bar:
        task = bar.add_task("Listing", total=None)
        while True:
            if time.monotonic() > asked + ASKED_AGAIN:
                poll_asked(services.ordering, company)
                asked = time.monotonic()
            record = services.ordering.event(company, POLL_ID)
            if record is not None and record.status == "failed":
                fail(say(Message.join(record.reason, record.remedy)))
            if (why := why_waiting(services, company, record)) != told:
                told = why
                bar.console.print(f"[yellow]waits[/]: {escape(why)}" if why else "goes on")
            left = _show(bar, task, services, company)
            if left == 0 and (record is None or record.status not in UNSETTLED):
                return 0
            if time.monotonic() > deadline:
                err.print(f"stopped watching after {timeout:.0f} s; the import goes on")
                return left
            time.sleep(POLL)


def why_waiting(services: Services, company: str, poll: EventRecord | None) -> str:
    """What the import waits for; "" where it gets on."""
    if paused := services.ordering.paused(company):
        return f"{company} is paused: {say(paused)} The import goes on when it is connected again."
    if poll is None or poll.status == "running":
        return ""
    age = services.telemetry.heartbeats.ages().get(WORKER)
    if age is None or age > TAKEN_AFTER:
        return "No worker takes it. Start one; the import goes on then."
    if poll.status == "retrying" and poll.attempts:
        return f"{say(poll.reason)} It is tried again by itself."
    return "Fortnox does not serve; it is tried again by itself." if services.ordering.resting(company) else ""


def _show(bar: Progress, task: TaskID, services: Services, company: str) -> int:
    """How many are left, shown on the bar; at least one while they are still being listed."""
    store = services.stores.expenses(company)
    left, listing = store.due(), store.listing("import")
    most = max(bar.tasks[task].total or 0, left)
    if listing is not None:
        bar.update(task, description=f"Listing, page {listing.page} of {listing.pages or '?'}", total=most)
        return max(left, 1)
    bar.update(task, description="Looking", total=most, completed=most - left)
    return left


@expenses.command()
def explain(
    company: CompanyArgument,
    given_number: Annotated[
        str, typer.Argument(help="The supplier invoice's number in Fortnox.", metavar="GIVENNUMBER")
    ],
    json: Json = False,
) -> None:
    """Say row by row what of a supplier invoice was or would be sent to Moment, and why the rest is not."""
    with connected() as services:
        sync = _sync(services, company)
        try:
            inspection = sync.reader.read(given_number, asked=True)
        except FortnoxError as error:
            fail(say(Message.join(*in_words(error))))
        except MomentError as error:
            fail(say(error.reason))
        except NeverConnected as error:
            fail(str(error), 2)
        found = explained(sync, inspection, services.ordering.paused(company))
    if inspection.invoice is None:
        fail(f"{given_number}: there is no such supplier invoice in the Fortnox of {company}")
    if json:
        print_json(found)
        return
    invoice = inspection.invoice
    out.print(f"Supplier invoice {given_number}: {escape(f'{invoice.supplier_name} {invoice.invoice_number}')}, "
              f"{invoice.invoice_date}, {'posted' if invoice.booked else 'not posted'}"
              f"{', cancelled' if invoice.cancelled else ''}")  # fmt: skip
    table = Table("row", "account", "project", "amount", "in Moment", "why", box=None)
    for row in found["rows"]:
        cells = (row["row"], row["account"], row["project"], row["amount"], row["state"], row["reason"])
        table.add_row(*(escape(str(cell if cell is not None else "")) for cell in cells))
    table.columns[3].justify = "right"
    out.print(table)
    for place in found["withdrawnRows"]:
        out.print(f"the expense of row {place}, which is gone, is in Moment: it would be withdrawn")
    if found["failure"]:
        out.print(f"[red]failed[/]: moment-fortnox events show {company} {found['failure']}")


def explained(sync: ExpenseSync, inspection: Inspection, paused: Message | None) -> dict[str, Any]:
    """What `explain --json` prints. States: sent, changes, would be sent, would be withdrawn, invoiced, not sent."""
    sent = sync.store.sent(inspection.number)
    rows, places = [], set[int]()
    for row in inspection.rows:
        place = place_of(row.number, sent)
        places.add(place)
        before = sent.get(place)
        should_be = row.expense.digest if row.expense else None
        state = "sent" if before else "not sent"
        if before and before.invoiced:
            state = "invoiced, stays"
        elif before and should_be is None:
            state = "would be withdrawn"
        elif before and before.digest != should_be:
            state = "would be corrected"
        elif row.expense and not before:
            state = "would be sent"
        rows.append(
            {
                "row": row.number,
                "account": row.account,
                "project": row.project,
                "amount": f"{row.amount:.2f}",
                "state": state,
                "reason": say(row.reason.message) if row.reason else "",
                "expense": row.expense.fields() if row.expense else None,
            }
        )
    return {
        "company": sync.company,
        "givenNumber": inspection.number,
        "rows": rows,
        "withdrawnRows": sorted(set(sent) - places),
        "failure": sync.store.failure(inspection.number),
        "paused": None if paused is None else say(paused),
    }


def _follows(services: Services, company: str) -> None:
    connection = services.stores.connections.find(company)
    if connection is None:
        fail(f"{company} is not connected", 2)
    if off := switched_off(connection):
        fail(f"{company}: {say(off.reason)}", 2)


def _sync(services: Services, company: str) -> ExpenseSync:
    _follows(services, company)
    store = services.stores.expenses(company)
    return ExpenseSync(
        company=company,
        fortnox=services.fortnox.read(company),
        moment=services.moment.api,
        store=store,
        rules=rules_of(
            services.stores.connections.get(company), services.stores.company_settings.get(company), store.ledger
        ),
        check=lambda: None,
    )
