"""`moment-fortnox status`, `wait` and `health`: how the events are doing."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.console import Json, connected, err, fail, out, print_json, styled
from delivery.services import Services
from ordering.engine import STATUSES, UNDER_WAY

POLL = 0.2  # seconds between two looks

Company = Annotated[str | None, typer.Option("--company", help="Only this company.")]


def overview(services: Services, company: str | None = None) -> dict[str, Any]:
    """What `status --json` prints: counts for all and for each company, and the age of the oldest in seconds."""
    names = [company] if company else services.ordering.companies()
    states = services.ordering.states(names)
    total: Counter[str] = Counter()
    for state in states.values():
        total.update(state.counts)
    ages = [(datetime.now(UTC) - state.oldest).total_seconds() for state in states.values() if state.oldest]
    return {
        "events": {status: total[status] for status in STATUSES},
        "oldestWaitingSeconds": round(max(ages), 3) if ages else None,
        "companies": {
            name: {"connection": connection_state(services, name), "events": dict(states[name].counts)}
            for name in names
        },
    }


def connection_state(services: Services, company: str) -> str:
    """connected, paused (the grant is dead), disabled or none."""
    connection = services.stores.connections.find(company)
    if connection is None:
        return "none"
    return "paused" if connection.state == "connected" and services.ordering.paused(company) else connection.state


def status(company: Company = None, json: Json = False) -> None:
    """Show how many events are waiting, ready, running, retrying, held, failed and done."""
    with connected() as app:
        if company and company not in app.services.ordering.companies():
            fail(f"{company}: no event of this company was ever accepted", 2)
        found = overview(app.services, company)
    if json:
        print_json(found)
        return
    table = Table("company", "connection", *(styled(name) for name in STATUSES), box=None)
    for name, one in found["companies"].items():
        table.add_row(name, one["connection"], *(_number(one["events"][status]) for status in STATUSES))
    if len(found["companies"]) != 1:
        table.add_row("all", "", *(_number(found["events"][status]) for status in STATUSES), style="bold")
    out.print(table)
    oldest = found["oldestWaitingSeconds"]
    out.print("nothing is under way" if oldest is None else f"the oldest event under way is {oldest:.0f} s old")


def _number(count: int) -> str:
    return str(count) if count else "[dim]·[/]"


def wait(
    timeout: Annotated[float | None, typer.Option(help="Give up after this many seconds; status 1 then.")] = None,
    company: Company = None,
    json: Json = False,
) -> None:
    """Wait until no event is waiting, ready, running or retrying. Held and failed ones are not waited for."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with connected() as app:
        found = overview(app.services, company)
        most = moving(found)
        with progress() as bar:
            task = bar.add_task("Delivering", total=most)
            while (left := moving(found)) and (deadline is None or time.monotonic() < deadline):
                most = max(most, left)
                bar.update(task, total=most, completed=most - left)
                time.sleep(POLL)
                found = overview(app.services, company)
            bar.update(task, completed=most - left)
    if json:
        print_json(found)
    if left:
        fail(f"{left} events are still under way after {timeout:.0f} s")


def moving(found: dict[str, Any]) -> int:
    return sum(found["events"][status] for status in UNDER_WAY)


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)
