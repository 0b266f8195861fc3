"""`moment-fortnox status` and `wait`: how the events are doing."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from cli.console import Json, Utc, connected, events_in_words, fail, out, print_json, progress
from cli.lists import show_list
from cli.states import in_words
from delivery.feed.status import FeedStatus
from operations.states import as_fields
from operations.status import Overview, overview
from operations.status import wait as until_settled
from ordering.records import STATUSES

Company = Annotated[str | None, typer.Option("--company", help="Only this company.")]
Attention = Annotated[bool, typer.Option("--attention", help="Only companies that need somebody.")]


def status(company: Company = None, attention: Attention = False, utc: Utc = False, json: Json = False) -> None:
    """Show how many events are waiting, ready, running, retrying, held, failed and done."""
    with connected() as services:
        found = overview(services, company)
    companies = {name: one for name, one in found.companies.items() if one.needs_somebody or not attention}
    if json:
        print_json(as_json(replace(found, companies=companies)))
        return
    if attention and not companies and out.is_terminal:
        out.print("no company needs anybody")
        return
    lines = {name: (in_words(one.state), one.events) for name, one in companies.items()}
    if out.is_terminal and len(lines) != 1 and not attention:
        lines["all"] = ("", found.events)
    shown = [name for name in STATUSES if any(events[name] for _, events in lines.values()) or not out.is_terminal]
    rows = [
        {"company": name, "state": state} | {status: str(events[status]) for status in shown}
        for name, (state, events) in lines.items()
    ]
    show_list(("company", "state", *shown), rows, right=shown)
    if not out.is_terminal or attention:
        return
    if found.oldest is None:
        out.print("nothing is under way")
    else:
        out.print(f"the oldest event under way is {found.oldest.total_seconds():.0f} s old")
    out.print(_feed(found.feed))


def _feed(feed: FeedStatus) -> str:
    if feed.connected:
        return f"Fortnox's feed is connected, companies: {feed.companies}"
    why = f" ({feed.why})" if feed.why else ""
    return f"Fortnox's feed is {feed.state}{why}; changes there are noticed by polling"


def as_json(found: Overview) -> dict[str, Any]:
    """What `status --json` prints."""
    return {
        "events": dict(found.events),
        "oldestWaitingSeconds": None if found.oldest is None else round(found.oldest.total_seconds(), 3),
        "companies": {
            name: {"connection": one.connection, **as_fields(one.state), "events": dict(one.events)}
            for name, one in found.companies.items()
        },
        "feed": found.feed._asdict(),
    }


def wait(
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Give up after this many seconds; status 1 then.")
    ] = None,
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
        fail(f"still under way after {timeout:.0f} s: {events_in_words(found.under_way)}")
