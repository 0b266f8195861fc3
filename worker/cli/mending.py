"""`moment-fortnox events retry` and `skip`: what a person does about an event, and who did it, in its timeline."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import track

from tasks.existing import ACCEPTED
from tasks.house import House
from tasks.transfer import recorded_as
from worker.assembly import App
from worker.cli.console import connected, err, fail, out, styled
from worker.cli.events import Code, CompanyArgument, IdArgument, events
from worker.ordering import EventRecord
from worker.ordering.history import Filter, find
from worker.stores import Entry

By = Annotated[str | None, typer.Option("--by", help="Who does it, for whoever looks later; the user of this machine.")]
MANY = 200  # from here on a progress bar takes the place of a line for each


@events.command()
def retry(
    company: Annotated[str | None, typer.Argument(help="The company's code.")] = None,
    event_id: Annotated[str | None, typer.Argument(help="The event's id.", metavar="ID")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Every failed event (of the company).")] = False,
    code: Code = None,
    cause: Annotated[str | None, typer.Option(help="With --all-failed: only where the reason holds this text.")] = None,
    accept_existing: Annotated[
        bool,
        typer.Option("--accept-existing", help="Take over what Fortnox has under the number, though it looks another."),
    ] = False,
    by: By = None,
) -> None:
    """Run an event again, now: failed, skipped, held, retrying, done but for a file; or all that failed by a cause."""
    if all_failed and accept_existing:
        fail("--accept-existing is for one event: give a company and an event id", 2)
    if all_failed == (event_id is not None) or (company is None and not all_failed):
        fail("give a company and an event id, or --all-failed", 2)
    if (code or cause) and not all_failed:
        fail("--code and --cause choose among --all-failed", 2)
    with connected() as app:
        if not all_failed:
            mark = recorded_as(ACCEPTED, app.house.connections.ledger(str(company))) if accept_existing else ""
            _retry_one(app, str(company), str(event_id), who(by), mark)
            return
        chosen = [
            record
            for record in find(app.house.ordering, Filter(company or "", "failed", code=code or ""))
            if not cause or cause.casefold() in record.reason.casefold()
        ]
        _retry_all(app, chosen[::-1], who(by))  # those that failed first, first


def _retry_one(app: App, company: str, event_id: str, by: str, mark: str) -> None:
    record = app.house.ordering.event(company, event_id)
    if record is None:
        fail(f"{company} {event_id}: no such event")
    if app.house.closed.opened_for(record):
        _note(app, record, datetime.now(UTC), by)
        out.print(f"{company} {event_id}: {styled('ready')} (with all that waits for the same part of Fortnox)")
        return
    became = _retry(app, record, by, mark)
    if not became:
        fail(f"{company} {event_id}: it is {record.status}, with nothing to retry")
    out.print(_told(app.house, record, became), soft_wrap=True)


def _retry_all(app: App, chosen: list[EventRecord], by: str) -> None:
    if not chosen:
        out.print("no such failed events")
        return
    many = len(chosen) >= MANY
    retried = 0
    for record in track(chosen, "Retrying", console=err, transient=True, disable=not many):
        became = _retry(app, record, by)
        retried += bool(became)
        if became and not many:
            out.print(_told(app.house, record, became), soft_wrap=True)
    out.print(
        f"{retried} retried" + (f", {len(chosen) - retried} had gone on meanwhile" if retried < len(chosen) else "")
    )


def _retry(app: App, record: EventRecord, by: str, mark: str = "") -> str:
    """What became of the event; "" when it is not in a status that can be retried."""
    asked = datetime.now(UTC)
    became, _ = app.house.ordering.retry(record.company, record.id, mark=mark)
    if became in ("", "unknown"):
        return ""
    _note(app, record, asked, by, ends=became == "superseded")
    return became


def _note(app: App, record: EventRecord, asked: datetime, by: str, *, ends: bool = False) -> None:
    app.house.timeline.note(record.company, record.id, Entry(asked, "retried by hand", {"by": by}), ends=ends)


def _told(house: House, record: EventRecord, became: str) -> str:
    line = f"{escape(record.company)} {escape(record.id)}: {styled(became)}"
    if became == "superseded":
        return f"{line} (a newer one of {escape(record.key)} has gone through: there is nothing to transfer)"
    if not house.ordering.is_newest(record):
        return f"{line} (it is not the newest of {escape(record.key)}: what came later goes on, or has gone through)"
    return line


@events.command()
def skip(
    company: CompanyArgument,
    event_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "given up by hand",
    by: By = None,
) -> None:
    """Give up an event that is not running; what waited for it goes on."""
    with connected() as app:
        asked = datetime.now(UTC)
        ordering = app.house.ordering
        record = ordering.event(company, event_id)
        behind = ordering.behind([record.key])[0].number if record else 0
        skipped, _ = ordering.skip(company, event_id, f"{reason} ({who(by)})")
        if not skipped:
            fail(f"{company} {event_id}: {'no such event' if record is None else f'it is {record.status}'}")
        note = Entry(asked, "skipped by hand", {"by": who(by), "reason": reason})
        app.house.timeline.note(company, event_id, note, ends=True)
    released = f"; {behind} that waited for it may go on" if behind else ""
    out.print(f"{company} {event_id}: {styled('skipped')}{released}")


def who(by: str | None) -> str:
    """Who is at the keyboard: as said, or as this machine knows."""
    try:
        return by or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
