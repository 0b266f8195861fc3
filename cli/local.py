"""`moment-fortnox demo`, `up` and `sandbox`: everything on this machine, nothing of it real money."""

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.console import PORT_HELP, Json, Port, err, fail, out, print_json, progress, shown, styled
from cli.status import as_json
from delivery.services import Services, build_services
from local import DeadlineExceeded, NoRedisServer, ProcessDied, Processes
from local.day import COMPANY, SUPPLIER_INVOICES, expected
from local.demo import (
    DELIVERY,
    arrivals,
    differences,
    enter_supplier_invoices,
    items,
    prepare_ledger,
    publish_day,
    publish_day_and_costs,
    wait_for_expenses,
    wait_for_mails,
)
from local.directory import DirectoryUnusable, PortTaken, StateDirectory, check_ports
from local.redis import free_port
from local.stack import Stack, start_sandbox
from messages import Message
from messages.catalogue import say
from operations.status import overview
from ordering.engine import UnknownLayout

PORTS = (8701, 8702, 8703)
FLOWER_PORT = 5555
CONSOLE_PORT = 8080
REDIS_PORT = 6390
LOCAL = Path(".local/up")


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
        with Stack(directory, feed=True) as stack:
            right = _demo(stack, json)
    except (ProcessDied, DeadlineExceeded, NoRedisServer) as error:
        keep = True
        fail(f"{_in_a_line(error)}\nThe logs are in {directory / 'logs'}.")
    finally:
        if keep:
            err.print(f"Logs and data: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    raise typer.Exit(0 if right else 1)


def _demo(stack: Stack, json: bool) -> bool:
    with err.status("Starting Redis, the local Fortnox, Moment and SMTP, and beat …"):
        stack.start_services()
        prepare_ledger(stack)
        stack.start_beat()
    services = build_services(stack.settings)
    published = publish_day(stack, services)  # before a worker runs: connecting also checks invoices that wait
    if not json:
        out.print(f"[bold]{published} events published[/], as Moment would on a working day of {COMPANY}.")
        out.print("In Fortnox, a card gives a discount and each invoice gets a row of text: neither may change a sum.")
    started = time.monotonic()
    with err.status("Starting a worker …"):
        stack.start_worker()
    _watch(services, stack, published)
    seconds = time.monotonic() - started
    enter_supplier_invoices(stack)
    if not json:
        out.print(f"[bold]{len(SUPPLIER_INVOICES)} supplier invoices entered in Fortnox[/], and asked for at once.")
    wait_for_expenses(stack, services)
    wait_for_mails(stack)
    wrong = differences(stack, services, expected())
    if json:
        print_json(
            {
                "events": published,
                "seconds": round(seconds, 1),
                "differences": wrong,
                "status": as_json(overview(services)),
                "ledger": stack.sandbox.state(COMPANY),
                "expenses": list(stack.sandbox.expenses(COMPANY).values()),
            }
        )
    else:
        _show(stack, services, published, seconds, wrong)
    return not wrong


def _watch(services: Services, stack: Stack, most: int) -> None:
    """Show each event as it arrives, until none is under way."""
    told: set[str] = set()
    deadline = time.monotonic() + DELIVERY
    with progress() as bar:
        task = bar.add_task("Delivering", total=most)
        while True:
            stack.check()
            left = overview(services).under_way
            bar.update(task, completed=most - left)
            for record in services.ordering.failed(COMPANY):
                if record.id not in told:
                    told.add(record.id)
                    bar.console.print(
                        f"  {styled('failed')}  {' '.join(record.key.split('/')[1:])}: {say(record.reason)}"
                    )
            for key, request in arrivals(stack):
                if key not in told:
                    told.add(key)
                    bar.console.print(f"  [green]→[/] {request}")
            if not left:
                return
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{left} events to arrive", DELIVERY)
            time.sleep(0.2)


def _show(stack: Stack, services: Services, published: int, seconds: float, wrong: list[str]) -> None:
    ledger = stack.sandbox.state(COMPANY)
    table = Table(
        "invoice", "customer", "project", "total", "VAT", "posted", "files", title="Fortnox now holds", box=None
    )
    for one in sorted(items(ledger, "invoices"), key=lambda one: int(one["DocumentNumber"])):
        table.add_row(
            str(one["DocumentNumber"]),
            shown(f"{one['CustomerNumber']} {one.get('CustomerName') or ''}"),
            str(one.get("Project") or ""),
            f"{Decimal(str(one['Total'])):.2f}",
            f"{Decimal(str(one['TotalVAT'])):.2f}",
            styled("done", "yes") if one["Booked"] else styled("failed", "no"),
            str(len(one["attachments"]) or ""),
        )
    for column in (3, 4, 6):
        table.columns[column].justify = "right"
    out.print(table)
    out.print(f"and {len(items(ledger, 'customers'))} customers, {len(items(ledger, 'projects'))} projects.\n")
    back = Table("supplier", "number", "account", "project", "amount", "text", title="Moment has back", box=None)
    for one in stack.sandbox.expenses(COMPANY).values():
        names = ("supplierName", "supplierInvoiceNumber", "accountNumber", "projectNumber", "amountExcludingVat")
        back.add_row(*(shown(one[name]) for name in (*names, "description")))
    back.columns[4].justify = "right"
    out.print(back)
    out.print("and not a supplier invoice that waits for approval, nor one on an account that was not chosen.\n")
    for record in services.ordering.failed(COMPANY):
        out.print(
            f"{styled('failed')} {' '.join(record.key.split('/')[1:])}: "
            + shown(say(Message.join(record.reason, record.remedy)))
        )
    for mail in stack.sandbox.mails():
        out.print(f"[cyan]mailed[/] {shown(', '.join(mail['to']))}: {shown(mail.get('subject', ''))}")
    counts = overview(services).events
    used = len(stack.sandbox.requests(COMPANY))
    out.print(
        f"\n{published} events in {seconds:.1f} s, {used} requests to Fortnox: "
        + ", ".join(styled(status, f"{count} {status}") for status, count in counts.items() if count)
    )
    for difference in wrong:
        err.print(f"[red]not as expected:[/] {shown(difference)}")
    if not wrong:
        out.print("[green]The ledger is exactly as expected.[/]")
    out.print(
        "\nNext: `make up` leaves the same system running with a page of the ledger and Flower; "
        "docs/mapping.md says what is transferred where, docs/expenses.md what comes back."
    )


def up(
    directory: Annotated[
        Path,
        typer.Option(help="Where the data and the logs are: a new or empty directory, or that of an earlier up."),
    ] = LOCAL,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start empty: delete the data of earlier runs.")] = False,
    port_fortnox: Port = PORTS[0],
    port_moment: Port = PORTS[1],
    port_smtp: Port = PORTS[2],
    port_redis: Port = REDIS_PORT,
    port_flower: Port = FLOWER_PORT,
    port_console: Port = CONSOLE_PORT,
) -> None:
    """Leave the whole system running on this machine, with a sample day, the console and Flower, until Ctrl-C.

    A later up in the same directory continues with its data: events, connections, ledger, mails.
    """
    sandbox_ports = (port_fortnox, port_moment, port_smtp)
    options = ("--port-fortnox", "--port-moment", "--port-smtp", "--port-redis", "--port-flower", "--port-console")
    try:
        with StateDirectory(directory) as state:
            check_ports(dict(zip(options, (*sandbox_ports, port_redis, port_flower, port_console), strict=True)))
            if fresh:
                state.empty()
            with Stack(
                directory,
                ports=sandbox_ports,
                redis_port=port_redis or None,
                console_port=port_console or free_port(),
                options={"ENCRYPTION_KEYS": state.key},
                keep=True,
                feed=True,
            ) as stack:
                _run(stack, state, port_flower)
    except (DirectoryUnusable, PortTaken) as error:
        fail(str(error))
    except UnknownLayout as error:
        fail(f"{error}\nTo start empty: moment-fortnox up --fresh")
    except (ProcessDied, DeadlineExceeded, NoRedisServer) as error:
        fail(f"{_in_a_line(error)}\nThe logs are in {directory / 'logs'}.")


def _run(stack: Stack, state: StateDirectory, flower_port: int) -> None:
    with err.status("Starting …"):
        stack.start_services()
        services = build_services(stack.settings)
        services.ordering.check_layout()
        stack.sandbox.tenant(COMPANY)
        stack.start_beat()
        stack.start_worker()
        flower, login = stack.start_flower(flower_port or None)
        console = stack.start_console()
    state.running_at(stack.sandbox.addresses.page)
    new = COMPANY not in services.ordering.companies()
    if new:
        prepare_ledger(stack)
        with err.status("The sample day arrives …"):
            publish_day_and_costs(stack, services)
    _introduce(stack, state.directory, flower, login, console, new)
    _until_interrupted(stack.check)


def _introduce(
    stack: Stack, directory: Path, flower: str, login: str, console: tuple[str, str, str], new: bool
) -> None:
    environment = write_environment(directory, stack.environment)
    table = Table(show_header=False, box=None)
    address, name, password = console
    table.add_row("console", f"{address}  (name {name}, password {password})")
    table.add_row("ledger", stack.sandbox.addresses.page)
    table.add_row("Flower", f"{flower}  (login {login})")
    table.add_row("Redis", stack.environment["REDIS_URL"])
    table.add_row("logs", str(stack.logs))
    out.print(table)
    arrived = f"The sample day of {COMPANY} is delivered now, and its expenses follow."
    what = arrived if new else "It continues with the data of the last run."
    out.print(f"\n{what} In another terminal, the first line sets the settings and the PATH:\n")
    out.print(f"  . {shown(shlex.quote(str(environment)))}", soft_wrap=True)
    out.print("  moment-fortnox status")
    out.print("  moment-fortnox events list")
    out.print("  moment-fortnox publish FILE\n\nCtrl-C stops everything.")


def write_environment(directory: Path, variables: Mapping[str, str]) -> Path:
    """Write a file for a shell to read: the settings, and this command's directory first on the PATH. Return it."""
    file = directory / "environment"
    file.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    programs = shlex.quote(str(Path(sys.executable).parent))
    file.write_text("".join([*lines, f'export PATH={programs}:"$PATH"\n']), encoding="utf-8")
    return file


def _in_a_line(error: Exception) -> str:
    """The error without the log of the process that it tells of, but for the last line."""
    first, *log = str(error).splitlines()
    return f"{first} {log[-1]}" if log else first


def _until_interrupted(check: Any) -> None:
    try:
        while True:
            check()
            time.sleep(1)
    except KeyboardInterrupt:
        err.print("Stopping …")


def sandbox(
    port_fortnox: Annotated[
        int, typer.Option("--port-fortnox", "--fortnox-port", min=0, max=65535, help=PORT_HELP)
    ] = PORTS[0],
    port_moment: Annotated[
        int, typer.Option("--port-moment", "--moment-port", min=0, max=65535, help=PORT_HELP)
    ] = PORTS[1],
    port_smtp: Annotated[int, typer.Option("--port-smtp", "--smtp-port", min=0, max=65535, help=PORT_HELP)] = PORTS[2],
    json: Json = False,
) -> None:
    """Run only the local stand-ins for Fortnox, Moment and SMTP, until Ctrl-C."""
    with tempfile.TemporaryDirectory() as logs, Processes(Path(logs)) as processes:
        try:
            check_ports({"--port-fortnox": port_fortnox, "--port-moment": port_moment, "--port-smtp": port_smtp})
            addresses = start_sandbox(processes, port_fortnox, port_moment, port_smtp)
        except (ProcessDied, DeadlineExceeded, PortTaken) as error:
            fail(_in_a_line(error))
        if json:
            print_json(vars(addresses))
        else:
            for name, address in vars(addresses).items():
                out.print(f"{name:8} {address}")
            out.print("Controls are under /_sandbox/ (sandbox/README.md). Ctrl-C stops it.")
        sys.stdout.flush()
        _until_interrupted(processes.check)
