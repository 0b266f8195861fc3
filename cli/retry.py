"""`moment-fortnox events retry` and `skip`: one event, or all that failed with a cause."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, TypeVar

import typer

from cli.console import DryRun, Yes, actor, agreed, connected, err, events_in_words, fail, out, shown, styled
from cli.events import Code, SecondArgument
from cli.states import when_it_goes_on
from delivery.services import Services
from operations import retry as operation
from operations.audit import Actor
from operations.naming import check_company, find_event
from operations.retry import Retried, Selection
from ordering import EventRecord

By = Annotated[str | None, typer.Option("--by", help="Who does it, for whoever looks later; the user of this machine.")]
T = TypeVar("T")
MANY = 200  # events that get a line each; a progress bar shows how far more of them are
NAMED = 10  # of the events of a bulk step, before it is asked


def retry(
    company: Annotated[
        str | None,
        typer.Argument(
            help="The event's id, the company first where several have that id; with --all-failed the company.",
            metavar="COMPANY|ID",
        ),
    ] = None,
    event_id: SecondArgument = None,
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
    yes: Yes = False,
    dry_run: DryRun = False,
    by: By = None,
) -> None:
    """Run an event again, now; or all events that failed for one cause.

    An event can be run again that failed, was skipped, is held or retrying, or is done but lacks one of its files.
    On a terminal --all-failed shows how many and which, and asks. Status 1 where nothing was retried.
    """
    if all_failed and accept_existing:
        fail("--accept-existing is for one event: give its id", 2)
    if all_failed and event_id is not None:
        fail("give an event id, or --all-failed; with --like ID all that failed for the same reason as that one", 2)
    if not all_failed and company is None:
        fail("give an event id, or --all-failed", 2)
    if (code is not None or reason is not None or like is not None or dry_run) and not all_failed:
        fail("--code, --cause, --like and --dry-run choose among --all-failed", 2)
    if any(given is not None and not given.strip() for given in (code, reason, like)):
        fail("--code, --cause, --like: is empty", 2)
    with connected() as services:
        if not all_failed:
            named = find_event(services, str(company), event_id)
            _show(operation.retry(services, *named, by=actor(by), accept_existing=accept_existing))
            return
        if company:
            check_company(services, company)
        same = operation.cause_of(services, company or "", like) if like else ""
        chosen = operation.chosen(services, Selection(company or "", code or "", reason or "", same))
        records = _looked_through(services, chosen, company)
        if not records:
            fail("no such failed events")
        if not _go_on("retry", records, yes=yes, dry_run=dry_run, unattended=True):
            return
        _retry_all(services, records, actor(by))


def _retry_all(services: Services, records: Sequence[EventRecord], by: Actor) -> None:
    retried = gone_on = 0
    for done in _bar("Retrying", operation.retry_each(services, records, by=by), len(records)):
        retried += bool(done.became)
        gone_on += not done.became
        if done.became and retried <= MANY:
            _show(done)
    out.print(f"{retried} retried" + (f", {gone_on} had gone on meanwhile" if gone_on else ""))
    if not retried:
        raise typer.Exit(1)


def _show(done: Retried) -> None:
    record = done.record
    line = f"{shown(record.company)} {shown(record.id)}: {styled(done.became)}"
    if done.with_others:
        line += " (with all that waits for the same part of Fortnox)"
    elif done.became == "superseded":
        line += f" (a newer one of {shown(record.key)} has gone through: there is nothing to transfer)"
    elif not done.newest:
        line += f" (it is not the newest of {shown(record.key)}: what came later goes on, or has gone through)"
    if done.state and (waits := when_it_goes_on(done.state)):
        line += f" ({shown(waits)})"
    out.print(line, soft_wrap=True)


def skip(
    company: Annotated[
        str | None,
        typer.Argument(
            help="The event's id, the company first where several have that id; with --code the company.",
            metavar="COMPANY|ID",
        ),
    ] = None,
    event_id: SecondArgument = None,
    code: Annotated[
        str | None, typer.Option("--code", help="All that failed with this code: the situation, the number, or both.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "given up by hand",
    yes: Yes = False,
    dry_run: DryRun = False,
    by: By = None,
) -> None:
    """Give up an event that is not running, or all that failed with a code; what waited for it goes on.

    --code shows how many and which, and asks; where no terminal is, it needs --yes.
    """
    if code is not None and event_id is not None:
        fail("give an event id, or --code", 2)
    if code is None and (company is None or dry_run):
        fail("give an event id, or --code" if company is None else "--dry-run is for --code", 2)
    if code is not None and not code.strip():
        fail("--code: is empty", 2)
    with connected() as services:
        if code is None:
            _skip(services, *find_event(services, str(company), event_id), reason, actor(by))
            return
        if company:
            check_company(services, company)
        records = _looked_through(services, operation.chosen(services, Selection(company or "", code)), company)
        if not records:
            fail("no such failed events")
        if _go_on("skip", records, yes=yes, dry_run=dry_run, unattended=False):
            skipped = sum(_bar("Skipping", operation.skip_each(services, records, reason, by=actor(by)), len(records)))
            out.print(f"{skipped} skipped")


def _skip(services: Services, company: str, event_id: str, reason: str, by: Actor) -> None:
    behind = operation.skip(services, company, event_id, reason, by=by)
    released = f"; {behind} that waited for it may go on" if behind else ""
    out.print(f"{shown(company)} {shown(event_id)}: {styled('skipped')}{released}")


def _go_on(verb: str, records: Sequence[EventRecord], *, yes: bool, dry_run: bool, unattended: bool) -> bool:
    """Say how many events and which, where somebody may change their mind. Return whether to go on."""
    asks = not yes and sys.stdin.isatty()
    if asks or dry_run:
        companies = {record.company for record in records}
        where = f" of {len(companies)} companies" if len(companies) > 1 else f" of {shown(records[0].company)}"
        codes = Counter(record.code or "without a code" for record in records).most_common()
        named = ", ".join(f"{n} {shown(code)}" for code, n in codes)
        err.print(f"{events_in_words(len(records))}{where}: {named}")
        for record in islice(records, NAMED):
            what = shown(" ".join(record.key.split("/")[1:]))
            err.print(f"  {shown(record.company)} {shown(record.id)}  {what}", soft_wrap=True)
        if len(records) > NAMED:
            err.print(f"  … and {len(records) - NAMED} more")
    if dry_run:
        err.print("Nothing was done (--dry-run).")
        return False
    if not agreed(f"{verb.capitalize()} {events_in_words(len(records))}?", yes=yes, unattended=unattended):
        raise typer.Exit(1)
    return True


def _looked_through(services: Services, chosen: Iterator[EventRecord | None], company: str | None) -> list[EventRecord]:
    failed = operation.number_failed(services, company)
    return [record for record in _bar("Looking through failed events", chosen, failed) if record]


def _bar(what: str, steps: Iterator[T], number: int) -> Iterable[T]:
    if number < MANY:
        return steps
    from rich.progress import track

    return track(steps, what, number, console=err, transient=True, disable=not err.is_terminal)
