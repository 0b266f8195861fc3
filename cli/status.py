"""`moment-fortnox status` and `wait`: how the events are doing."""

from typing import Annotated, Any

import typer

from cli.console import Json, connected, fail, out, print_json, progress
from cli.lists import show_list
from operations.status import Overview, is_known, overview
from operations.status import wait as until_settled
from ordering.records import STATUSES

Company = Annotated[str | None, typer.Option("--company", help="Only this company.")]


def status(company: Company = None, json: Json = False) -> None:
    """Show how many events are waiting, ready, running, retrying, held, failed and done."""
    with connected() as services:
        if company and not is_known(services, company):
            fail(f"{company}: no event of this company was ever accepted", 2)
        found = overview(services, company)
    if json:
        print_json(as_json(found))
        return
    lines = {name: (one.connection, one.events) for name, one in found.companies.items()}
    if out.is_terminal and len(lines) != 1:
        lines["all"] = ("", found.events)
    statuses = [name for name in STATUSES if found.events[name] or not out.is_terminal]  # those that need room
    rows = [
        {"company": name, "connection": connection} | {status: str(events[status]) for status in statuses}
        for name, (connection, events) in lines.items()
    ]
    show_list(("company", "connection", *statuses), rows, right=statuses)
    if not out.is_terminal:
        return
    if found.oldest is None:
        out.print("nothing is under way")
    else:
        out.print(f"the oldest event under way is {found.oldest.total_seconds():.0f} s old")


def as_json(found: Overview) -> dict[str, Any]:
    """What `status --json` prints."""
    return {
        "events": dict(found.events),
        "oldestWaitingSeconds": None if found.oldest is None else round(found.oldest.total_seconds(), 3),
        "companies": {
            name: {"connection": one.connection, "events": dict(one.events)} for name, one in found.companies.items()
        },
    }


def wait(
    timeout: Annotated[float | None, typer.Option(help="Give up after this many seconds; status 1 then.")] = None,
    company: Company = None,
    json: Json = False,
) -> None:
    """Wait until no event is waiting, ready, running or retrying. Held and failed ones are not waited for."""
    with connected() as services, progress() as bar:
        task, most = bar.add_task("Delivering", total=None), 0
        for found in until_settled(services, company, timeout):
            most = max(most, found.under_way)
            bar.update(task, total=most, completed=most - found.under_way)
    if json:
        print_json(as_json(found))
    if found.under_way:
        fail(f"{found.under_way} events are still under way after {timeout:.0f} s")
