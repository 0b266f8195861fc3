"""`moment-fortnox demo`, `up` and `sandbox`: everything on this machine, nothing of it real money."""

import shutil
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import Json, err, fail, out, print_json, styled
from cli.status import moving, overview, progress
from delivery.polling import POLL_ID, poll_asked
from local import DeadlineExceeded, NoRedisServer, ProcessDied, Processes, wait_until
from local.day import (
    COMPANY,
    ERROR_EMAIL,
    EXPENSES,
    PROJECTS,
    SUPPLIER_INVOICES,
    Expected,
    expected,
    working_day,
)
from local.stack import Stack, start_sandbox
from messages.catalogue import say
from worker.bootstrap import App, create_app
from worker.publish import publish

PORTS = (8701, 8702, 8703)
FLOWER_PORT = 5555
REDIS_PORT = 6390
LOCAL = Path(".local")
DELIVERY = 60.0  # seconds the sample day may take; it takes about ten
MAIL = 30.0
MAILS = 2  # on connecting, that an account of a waiting invoice is not in Fortnox; and that the invoice failed


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the logs and data of the demo.")] = False,
    json: Json = False,
) -> None:
    """Watch a sample working day go from Moment into Fortnox, on this machine.

    Starts a Redis, local stand-ins for Fortnox, Moment and SMTP, and a worker; publishes the day's events; shows them
    arrive; and compares the ledger with what it must hold. Exits 0 only if it holds exactly that.
    """
    directory = Path(tempfile.mkdtemp(prefix="moment-fortnox-demo-"))
    try:
        with Stack(directory) as stack:
            right = _demo(stack, json)
    except (ProcessDied, DeadlineExceeded, NoRedisServer) as error:
        keep = True
        fail(f"{error}\nThe logs are in {directory / 'logs'}.")
    finally:
        if keep:
            err.print(f"Logs and data: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    raise typer.Exit(0 if right else 1)


def _demo(stack: Stack, json: bool) -> bool:
    with err.status("Starting Redis, the local Fortnox, Moment and SMTP, and beat …"):
        stack.start_services()
        stack.sandbox.tenant(COMPANY)
        stack.start_beat()
    app = create_app(stack.settings)
    events = working_day(stack.sandbox.code(COMPANY))
    for event in events:  # before there is a worker: the check on connecting also looks at invoices that wait
        publish(event, services=app.services)
    if not json:
        out.print(f"[bold]{len(events)} events published[/], as Moment would on a working day of {COMPANY}.")
    started = time.monotonic()
    with err.status("Starting a worker …"):
        stack.start_worker()
    _watch(app, stack, len(events))
    seconds = time.monotonic() - started
    _way_back(app, stack, json)
    wait_until(lambda: len(stack.sandbox.mails()) >= MAILS, what="the mails to the company", timeout=MAIL)
    differences = compare(stack, app, expected())
    if json:
        print_json(
            {
                "events": len(events),
                "seconds": round(seconds, 1),
                "differences": differences,
                "status": overview(app.services),
                "ledger": stack.sandbox.state(COMPANY),
                "expenses": list(stack.sandbox.expenses(COMPANY).values()),
            }
        )
    else:
        _show(stack, app, len(events), seconds, differences)
    return not differences


def _watch(app: App, stack: Stack, most: int) -> None:
    """Shows each event as it arrives, until none is under way."""
    told: set[str] = set()
    deadline = time.monotonic() + DELIVERY
    with progress() as bar:
        task = bar.add_task("Delivering", total=most)
        while True:
            stack.check()
            left = moving(overview(app.services))
            bar.update(task, completed=most - left)
            for record in app.services.ordering.failed(COMPANY):
                if record.id not in told:
                    told.add(record.id)
                    bar.console.print(
                        f"  {styled('failed')}  {' '.join(record.key.split('/')[1:])}: {say(record.reason)}"
                    )
            for key, request in _arrivals(stack):
                if key not in told:
                    told.add(key)
                    bar.console.print(f"  [green]→[/] {request}")
            if not left:
                return
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{left} events to arrive", DELIVERY)
            time.sleep(0.2)


def _way_back(app: App, stack: Stack, json: bool) -> None:
    """Supplier invoices are entered in Fortnox, and come back to Moment."""
    for number in PROJECTS:
        stack.sandbox.moment_project(COMPANY, number)
    for supplier, number, row, more in SUPPLIER_INVOICES:
        named = {"SupplierName": supplier, "InvoiceNumber": number} | more.get("invoice", {})
        stack.sandbox.supplier_invoice(COMPANY, row, **{**more, "invoice": named})
    if not json:
        out.print(f"[bold]{len(SUPPLIER_INVOICES)} supplier invoices entered in Fortnox[/], and asked for at once.")
    poll_asked(app.services.ordering, COMPANY)  # else within ten minutes, in the company's slot
    wait_until(
        lambda: (
            len(stack.sandbox.expenses(COMPANY)) >= len(EXPENSES)
            and app.services.ordering.event(COMPANY, POLL_ID) is None
        ),
        what="the expenses to be in Moment",
        timeout=DELIVERY,
    )


def _arrivals(stack: Stack) -> list[tuple[str, str]]:
    """What the ledger holds by now, each with a name of its own."""
    ledger = stack.sandbox.state(COMPANY)
    customers = [
        (f"c{one['CustomerNumber']}", f"customer {one['CustomerNumber']}") for one in _all(ledger, "customers")
    ]
    projects = [(f"p{one['ProjectNumber']}", f"project {one['ProjectNumber']}") for one in _all(ledger, "projects")]
    invoices = [
        (f"i{one['DocumentNumber']}", f"invoice {one['DocumentNumber']} posted")
        for one in _all(ledger, "invoices")
        if one["Booked"]
    ]
    return [*customers, *projects, *invoices]


def _all(ledger: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = ledger[kind]
    return list(found.values() if isinstance(found, dict) else found)


def compare(stack: Stack, app: App, wanted: Expected) -> list[str]:
    """Every difference between the ledger and what it must hold, in words; none when the day arrived exactly."""
    ledger = stack.sandbox.state(COMPANY)
    invoices = {int(one["DocumentNumber"]): one for one in _all(ledger, "invoices")}
    failed = {record.id for record in app.services.ordering.failed(COMPANY)}
    mailed = [mail for mail in stack.sandbox.mails() if ERROR_EMAIL in str(mail)]
    checks: list[tuple[str, object, object]] = [
        ("customers", {one["CustomerNumber"]: one["Name"] for one in _all(ledger, "customers")}, wanted.customers),
        ("projects", {one["ProjectNumber"]: one["Description"] for one in _all(ledger, "projects")}, wanted.projects),
        (
            "invoices",
            {n: Decimal(str(one["Total"])) for n, one in invoices.items()},
            {n: t for n, (t, _) in wanted.invoices.items()},
        ),
        ("posted", {n for n, one in invoices.items() if one["Booked"]}, set(wanted.invoices)),
        (
            "files",
            {n: len(one["attachments"]) for n, one in invoices.items()},
            {n: f for n, (_, f) in wanted.invoices.items()},
        ),
        ("failed events", failed, set(wanted.failed)),
        ("mails to the company", len(mailed), MAILS),
        (
            "expenses in Moment",
            {name: one["amountExcludingVat"] for name, one in stack.sandbox.expenses(COMPANY).items()},
            EXPENSES,
        ),
    ]
    return [f"{what}: found {found}, expected {right}" for what, found, right in checks if found != right]


def _show(stack: Stack, app: App, published: int, seconds: float, differences: list[str]) -> None:
    ledger = stack.sandbox.state(COMPANY)
    table = Table(
        "invoice", "customer", "project", "total", "VAT", "posted", "files", title="Fortnox now holds", box=None
    )
    for one in sorted(_all(ledger, "invoices"), key=lambda one: int(one["DocumentNumber"])):
        table.add_row(
            str(one["DocumentNumber"]),
            escape(f"{one['CustomerNumber']} {one.get('CustomerName') or ''}"),
            str(one.get("Project") or ""),
            f"{Decimal(str(one['Total'])):.2f}",
            f"{Decimal(str(one['TotalVAT'])):.2f}",
            styled("done", "yes") if one["Booked"] else styled("failed", "no"),
            str(len(one["attachments"]) or ""),
        )
    for column in (3, 4, 6):
        table.columns[column].justify = "right"
    out.print(table)
    out.print(f"and {len(_all(ledger, 'customers'))} customers, {len(_all(ledger, 'projects'))} projects.\n")
    back = Table("supplier", "number", "account", "project", "amount", "text", title="Moment has back", box=None)
    for one in stack.sandbox.expenses(COMPANY).values():
        names = ("supplierName", "supplierInvoiceNumber", "accountNumber", "projectNumber", "amountExcludingVat")
        back.add_row(*(escape(str(one[name])) for name in (*names, "description")))
    back.columns[4].justify = "right"
    out.print(back)
    out.print("and not a supplier invoice that waits for approval, nor one on an account that was not chosen.\n")
    for record in app.services.ordering.failed(COMPANY):
        out.print(
            f"{styled('failed')} {' '.join(record.key.split('/')[1:])}: {escape(say(record.reason))} {escape(say(record.remedy))}"
        )
    for mail in stack.sandbox.mails():
        out.print(f"[cyan]mailed[/] {escape(str(mail.get('to', '')))}: {escape(str(mail.get('subject', '')))}")
    counts = overview(app.services)["events"]
    used = len(stack.sandbox.requests(COMPANY))
    out.print(
        f"\n{published} events in {seconds:.1f} s, {used} requests to Fortnox: "
        + ", ".join(styled(status, f"{count} {status}") for status, count in counts.items() if count)
    )
    for difference in differences:
        err.print(f"[red]not as expected:[/] {escape(difference)}")
    if not differences:
        out.print("[green]The ledger is exactly as expected.[/]")
    out.print(
        "\nNext: `make up` leaves the same system running with a page of the ledger and Flower; "
        "docs/mapping.md says what is transferred where, docs/expenses.md what comes back."
    )


def up(
    directory: Annotated[Path, typer.Option(help="Where Redis keeps its data and the logs go; emptied first.")] = LOCAL,
) -> None:
    """Leave the whole system running on this machine, with the sample day in it and Flower, until Ctrl-C.

    It starts empty each time: the local Fortnox keeps its ledger in memory.
    """
    shutil.rmtree(directory, ignore_errors=True)
    try:
        with Stack(directory, ports=PORTS, redis_port=REDIS_PORT) as stack:
            with err.status("Starting …"):
                stack.start_services()
                stack.sandbox.tenant(COMPANY)
                stack.start_beat()
                stack.start_worker()
                flower, login = stack.start_flower(FLOWER_PORT)
            app = create_app(stack.settings)
            for event in working_day(stack.sandbox.code(COMPANY)):
                publish(event, services=app.services)
            _introduce(stack, directory, flower, login)
            _until_interrupted(stack.check)
    except (ProcessDied, DeadlineExceeded, NoRedisServer) as error:
        fail(f"{error}\nThe logs are in {directory / 'logs'}.")


def _introduce(stack: Stack, directory: Path, flower: str, login: str) -> None:
    variables = {**stack.environment, "PATH": f"{Path(sys.executable).parent}:$PATH"}
    environment = directory / "environment"
    environment.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))
    table = Table(show_header=False, box=None)
    table.add_row("ledger", stack.sandbox.addresses.page)
    table.add_row("Flower", f"{flower}  (login {login})")
    table.add_row("Redis", stack.environment["REDIS_URL"])
    table.add_row("logs", str(stack.logs))
    out.print(table)
    out.print(f"\nThe sample day of {COMPANY} is on its way. In another terminal:\n")
    out.print(f"  . {environment}          (the settings, and moment-fortnox on the PATH)")
    out.print("  moment-fortnox status")
    out.print("  moment-fortnox events list")
    out.print("  moment-fortnox publish FILE\n\nCtrl-C stops everything.")


def _until_interrupted(check: Any) -> None:
    try:
        while True:
            check()
            time.sleep(1)
    except KeyboardInterrupt:
        err.print("Stopping …")


def sandbox(
    fortnox_port: Annotated[int, typer.Option(help="0 takes a free port.")] = PORTS[0],
    moment_port: Annotated[int, typer.Option(help="0 takes a free port.")] = PORTS[1],
    smtp_port: Annotated[int, typer.Option(help="0 takes a free port.")] = PORTS[2],
    json: Json = False,
) -> None:
    """Run only the local stand-ins for Fortnox, Moment and SMTP, until Ctrl-C."""
    with tempfile.TemporaryDirectory() as logs, Processes(Path(logs)) as processes:
        try:
            addresses = start_sandbox(processes, fortnox_port, moment_port, smtp_port)
        except (ProcessDied, DeadlineExceeded) as error:
            fail(str(error))
        if json:
            print_json(vars(addresses))
        else:
            for name, address in vars(addresses).items():
                out.print(f"{name:8} {address}")
            out.print("Controls are under /_sandbox/ (sandbox/README.md). Ctrl-C stops it.")
        sys.stdout.flush()
        _until_interrupted(processes.check)
