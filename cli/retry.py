"""`moment-fortnox events retry` and `skip`."""

import getpass
from typing import Annotated

import typer
from rich.progress import track

from cli.console import CompanyArgument, connected, err, fail, out, shown, styled
from cli.events import Code, IdArgument
from delivery.services import Services
from operations import retry as operation
from operations.retry import Retried, Selection

By = Annotated[str | None, typer.Option("--by", help="Who does it, for whoever looks later; the user of this machine.")]
MANY = 200  # events that get a line each; a progress bar shows how far more of them are


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
    with connected() as services:
        if not all_failed:
            done = operation.retry(services, str(company), str(event_id), by=who(by), accept_existing=accept_existing)
            _show(done)
            return
        same = operation.cause_of(services, str(company), like) if like else ""
        _retry_failed(services, Selection(company or "", code or "", reason or "", same), who(by))


def _retry_failed(services: Services, selection: Selection, by: str) -> None:
    failed = operation.number_failed(services, selection.company)
    retried = gone_on = 0
    steps = operation.retry_failed(services, selection, by=by)
    for done in track(steps, "Retrying", failed, console=err, transient=True, disable=failed < MANY):
        if done is None:
            continue
        retried += bool(done.became)
        gone_on += not done.became
        if done.became and retried <= MANY:
            _show(done)
    if not retried + gone_on:
        out.print("no such failed events")
        return
    out.print(f"{retried} retried" + (f", {gone_on} had gone on meanwhile" if gone_on else ""))


def _show(done: Retried) -> None:
    record = done.record
    line = f"{shown(record.company)} {shown(record.id)}: {styled(done.became)}"
    if done.with_others:
        line += " (with all that waits for the same part of Fortnox)"
    elif done.became == "superseded":
        line += f" (a newer one of {shown(record.key)} has gone through: there is nothing to transfer)"
    elif not done.newest:
        line += f" (it is not the newest of {shown(record.key)}: what came later goes on, or has gone through)"
    out.print(line, soft_wrap=True)


def skip(
    company: CompanyArgument,
    event_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "given up by hand",
    by: By = None,
) -> None:
    """Give up an event that is not running; what waited for it goes on."""
    with connected() as services:
        behind = operation.skip(services, company, event_id, reason, by=who(by))
    released = f"; {behind} that waited for it may go on" if behind else ""
    out.print(f"{shown(company)} {shown(event_id)}: {styled('skipped')}{released}")


def who(by: str | None) -> str:
    """Who runs the command: as given, or the user of this machine."""
    try:
        return by or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
