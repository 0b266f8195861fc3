"""`moment-fortnox events retry` and `skip`: what a person does about an event, and who did it, in its timeline."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import track

from cli.console import connected, err, fail, out, styled
from cli.events import Code, CompanyArgument, IdArgument, events
from delivery.context import recorded_as
from delivery.services import Services
from delivery.snapshots import ACCEPTED
from mails.causes import cause
from messages import Message
from messages.catalogue import say
from ordering import EventRecord
from ordering.history import Filter
from stores import Entry
from worker.bootstrap import App

By = Annotated[str | None, typer.Option("--by", help="Who does it, for whoever looks later; the user of this machine.")]
MANY = 200  # events that get a line each; where there may be more, a progress bar shows how far it is


@events.command()
def retry(
    company: Annotated[str | None, typer.Argument(help="The company's code.")] = None,
    event_id: Annotated[str | None, typer.Argument(help="The event's id.", metavar="ID")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Every failed event (of the company).")] = False,
    code: Code = None,
    reason: Annotated[
        str | None, typer.Option("--cause", help="With --all-failed: only where the reason holds this text.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--like", metavar="ID", help="With --all-failed: only what failed for the same reason as this one."
        ),
    ] = None,
    accept_existing: Annotated[
        bool,
        typer.Option("--accept-existing", help="Take over what Fortnox has under the number, though it looks another."),
    ] = False,
    by: By = None,
) -> None:
    """Run an event again, now: failed, skipped, held, retrying, done but for a file; or all that failed by a cause."""
    if all_failed and accept_existing:
        fail("--accept-existing is for one event: give a company and an event id", 2)
    if all_failed and event_id is not None:
        fail("give an event id, or --all-failed; with --like ID all that failed for the same reason as that one", 2)
    if not all_failed and (company is None or event_id is None):
        fail("give a company and an event id, or --all-failed", 2)
    if (code or reason or like) and not all_failed:
        fail("--code, --cause and --like choose among --all-failed", 2)
    if like and company is None:
        fail("--like needs a company: each company has ids of its own", 2)
    with connected() as app:
        if not all_failed:
            mark = (
                recorded_as(ACCEPTED, app.services.stores.connections.ledger(str(company))) if accept_existing else ""
            )
            _retry_one(app, str(company), str(event_id), who(by), mark)
            return
        wanted = Filter(company or "", "failed", code=code or "")
        same = _cause_of(app.services, str(company), like) if like else ""

        def chosen(record: EventRecord) -> bool:
            return (
                wanted.fits(record)
                and (not reason or reason.casefold() in say(record.reason).casefold())
                and (not same or cause(record) == same)
            )

        _retry_all(app, company, chosen, who(by))


def _retry_one(app: App, company: str, event_id: str, by: str, mark: str) -> None:
    record = app.services.ordering.event(company, event_id)
    if record is None:
        fail(f"{company} {event_id}: no such event")
    if app.services.fortnox.access_blocks.opened_for(record):
        _note(app, record, datetime.now(UTC), by)
        out.print(f"{company} {event_id}: {styled('ready')} (with all that waits for the same part of Fortnox)")
        return
    became = _retry(app, record, by, mark)
    if not became:
        fail(f"{company} {event_id}: it is {record.status}, with nothing to retry")
    out.print(_told(app.services, record, became), soft_wrap=True)


def _cause_of(services: Services, company: str, event_id: str) -> str:
    record = services.ordering.event(company, event_id)
    if record is None or record.status != "failed":
        fail(f"--like {event_id}: {'no such event' if record is None else f'it is {record.status}, not failed'}")
    return cause(record) or ""


def _retry_all(app: App, company: str | None, chosen: Callable[[EventRecord], bool], by: str) -> None:
    """Those that failed first, first: company by company, read as it goes."""
    ordering = app.services.ordering
    states = ordering.states([company] if company else ordering.companies())
    failed = sum(state.counts["failed"] for state in states.values())
    records = (record for one, state in states.items() if state.counts["failed"] for record in ordering.failed(one))
    retried = gone_on = 0
    for record in track(records, "Retrying", failed, console=err, transient=True, disable=failed < MANY):
        if not chosen(record):
            continue
        became = _retry(app, record, by)
        retried += bool(became)
        gone_on += not became
        if became and retried <= MANY:
            out.print(_told(app.services, record, became), soft_wrap=True)
    if not retried + gone_on:
        out.print("no such failed events")
        return
    out.print(f"{retried} retried" + (f", {gone_on} had gone on meanwhile" if gone_on else ""))


def _retry(app: App, record: EventRecord, by: str, mark: str = "") -> str:
    """What became of the event; "" when it is not in a status that can be retried."""
    asked = datetime.now(UTC)
    became, _ = app.services.ordering.retry(record.company, record.id, mark=mark)
    if became in ("", "unknown"):
        return ""
    _note(app, record, asked, by)
    return became


def _note(app: App, record: EventRecord, asked: datetime, by: str) -> None:
    app.services.telemetry.timeline.add(record.company, record.id, Entry(asked, "retried by hand", {"by": by}))


def _told(services: Services, record: EventRecord, became: str) -> str:
    line = f"{escape(record.company)} {escape(record.id)}: {styled(became)}"
    if became == "superseded":
        return f"{line} (a newer one of {escape(record.key)} has gone through: there is nothing to transfer)"
    if not services.ordering.is_newest(record):
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
        ordering = app.services.ordering
        record = ordering.event(company, event_id)
        behind = ordering.behind([record.key])[0].released if record else 0
        skipped, _ = ordering.skip(company, event_id, Message("event.skipped-by-hand", reason=reason, by=who(by)))
        if not skipped:
            fail(f"{company} {event_id}: {'no such event' if record is None else f'it is {record.status}'}")
        given = Message("event.by-hand", reason=reason).to_json()
        note = Entry(asked, "skipped by hand", {"by": who(by), "reason": given})
        app.services.telemetry.timeline.add(company, event_id, note)
    released = f"; {behind} that waited for it may go on" if behind else ""
    out.print(f"{company} {event_id}: {styled('skipped')}{released}")


def who(by: str | None) -> str:
    """Who is at the keyboard: as said, or as this machine knows."""
    try:
        return by or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
