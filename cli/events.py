"""`moment-fortnox events list` and `show`: find events, and see what became of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time
from json import dumps
from typing import Annotated, Any

import typer

from cli.console import (
    Json,
    Limit,
    Utc,
    actor,
    connected,
    err,
    fail,
    local_time,
    out,
    print_json,
    say,
    shown,
    styled,
    with_zone,
)
from cli.lazy import Command, group
from cli.lists import show_fields, show_list, wrapped
from cli.states import in_words as state_in_words
from delivery.services import Services
from messages import Message
from operations import events as operation
from operations.bodies import ShownBodies
from operations.naming import check_company, find_event
from operations.states import as_fields
from ordering import EventRecord
from ordering.history import Filter, listed_at
from ordering.records import STATUSES
from tasks.flows import NUMBERED

COMMANDS = {
    "list": Command(
        "cli.events:list_events", "List events, newest first: under way, failed, and settled in the last 90 days."
    ),
    "show": Command("cli.events:show", "Show one event: what became of it and why, and each step on the way."),
    "status": Command(
        "cli.producers:status",
        "Say what became of an event, in the fields of the stream moment:outcomes, for each company that has its id.",
    ),
    "example": Command("cli.producers:example", "Print a complete event of a type, to copy."),
    "retry": Command(
        "cli.retry:retry",
        "Run an event again, now; or all events that failed for one cause.",
    ),
    "skip": Command(
        "cli.retry:skip",
        "Give up an event that is not running, or all that failed with a code; what waited for it goes on.",
    ),
    "damaged": Command(
        "cli.damaged:damaged",
        "List events whose record in Redis could not be read and was set aside: what waited for them went on.",
    ),
    "export": Command(
        "cli.export:export", "Export the transfer log: an event a line, newest first, with its requests to Fortnox."
    ),
}
events = typer.Typer(
    cls=group(COMMANDS), no_args_is_help=True, help="Find events and export them, retry failed ones, skip them."
)


BELOW = {"reason": "", "said": "Fortnox: ", "hadFailed": "had failed: "}
COLUMNS = (
    *("time", "company", "event", "type", "what", "key", "status", "attempts", "code", "remedy"),
    *BELOW,
)
SHOWN_COLUMNS = "time,company,event,what,status,attempts,code,reason,said,hadFailed"

Company = Annotated[str | None, typer.Option("--company", help="Only this company's.")]
Status = Annotated[str | None, typer.Option("--status", help=f"Only these: one of {', '.join(STATUSES)}.")]
Key = Annotated[str | None, typer.Option("--key", help="Only this ordering key, such as acme/invoice/1001.")]
Number = Annotated[
    str | None, typer.Option("--number", help="Only the customer, project or invoice of this number; with --company.")
]
Code = Annotated[
    str | None,
    typer.Option("--code", help="Only what failed or waits with this code: the situation, Fortnox's number, or both."),
]
Since = Annotated[
    str | None, typer.Option("--since", help="Settled (or accepted, if under way) at or after: ISO 8601.")
]
Until = Annotated[str | None, typer.Option("--until", help="The same, up to and including.")]
IdArgument = Annotated[
    str,
    typer.Argument(help="The event's id; the company first where several have that id.", metavar="COMPANY|ID"),
]
SecondArgument = Annotated[str | None, typer.Argument(help="The event's id, after its company.", metavar="ID")]


def list_events(
    company: Company = None,
    status: Status = None,
    key: Key = None,
    number: Number = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    columns: Annotated[
        str, typer.Option(help=f"Which columns: of {', '.join(COLUMNS)}.", metavar="NAMES")
    ] = SHOWN_COLUMNS,
    utc: Utc = False,
    json: Json = False,
) -> None:
    """List events, newest first: under way, failed, and settled in the last 90 days."""
    wanted, names = to_filter(company, status, key, number, code, since, until), _columns(columns)
    with connected() as services, looking() as looked:
        check_companies(services, company, key)
        listed, more = operation.latest(services, wanted, limit, looked)
    if json:
        for record in listed:
            print_json(as_json(record))
    elif listed or not out.is_terminal:
        show_list(names, map(_row, listed), below=BELOW, right=("attempts",))
    else:
        out.print("no such events")
    if more:
        oldest = local_time(listed_at(listed[-1]), "milliseconds").replace(" ", "T")
        err.print(
            f"[dim]The newest {limit}. Older ones: --until {oldest}, or a higher --limit.[/]",
            soft_wrap=not err.is_terminal,
        )


def check_companies(services: Services, company: str | None, key: str | None) -> None:
    """Raises `UnknownCompany` for the company, or for that of the ordering key, where one is given and unknown."""
    for name in (company, key and key.partition("/")[0]):
        if name is not None:
            check_company(services, name)


@contextmanager
def looking() -> Iterator[Callable[[int], object]]:
    """On a terminal, show how many events have been looked at so far."""
    if not err.is_terminal:
        yield lambda n: None
        return
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Looking through events: {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda n: progress.advance(task, n)


def to_filter(
    company: str | None,
    status: str | None = None,
    key: str | None = None,
    number: str | None = None,
    code: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Filter:
    """The options as a filter. Ends the command where one is wrong."""
    if status is not None and status not in STATUSES:
        fail(f"--status {status}: one of {', '.join(STATUSES)}", 2)
    if code is not None and not code.strip():
        fail("--code: is empty", 2)
    if number is not None and company is None:
        fail("--number needs --company: each company has numbers of its own", 2)
    first, last = _time("--since", since, time.min), _time("--until", until, time.max)
    if first and last and first > last:
        fail(f"--since {since} is after --until {until}", 2)
    keys = tuple(filter(None, [key])) if number is None else tuple(f"{company}/{kind}/{number}" for kind in NUMBERED)
    return Filter(
        company=company or "",
        status=status or "",
        keys=keys,
        code=code or "",
        since=first,
        until=last,
    )


def _time(option: str, given: str | None, of_day: time) -> datetime | None:
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        fail(f"{option} {given}: give a time such as 2026-11-22 or 2026-11-22T14:30", 2)
    if len(given) == len("2026-11-22"):
        found = datetime.combine(found, of_day)
    return with_zone(found)


def as_json(record: EventRecord) -> dict[str, Any]:
    """One line of `events list --json`."""
    return {
        "id": record.id,
        "company": record.company,
        "type": record.type,
        "key": record.key,
        "status": record.status,
        "reason": say(record.reason),
        "remedy": say(record.remedy),
        "code": record.code,
        "said": record.said,
        "hadFailed": say(record.before),
        "attempts": record.attempts,
        "occurredAt": record.occurred_at.isoformat(),
        "acceptedAt": record.accepted_at.isoformat(),
        "settledAt": record.settled_at.isoformat() if record.settled_at else None,
    }


def _row(record: EventRecord) -> dict[str, str]:
    """The event under each of `COLUMNS`."""
    return {
        "time": local_time(listed_at(record)),
        "company": record.company,
        "event": record.id,
        "type": record.type,
        "what": " ".join(record.key.split("/")[1:]),
        "key": record.key,
        "status": record.status,
        "attempts": str(record.attempts),
        "code": record.code,
        "reason": say(record.reason),
        "remedy": say(record.remedy),
        "said": record.said,
        "hadFailed": say(record.before),
    }


def _columns(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",")]
    if unknown := [name for name in names if name not in COLUMNS]:
        fail(f"--columns: {', '.join(unknown)}: there are {', '.join(COLUMNS)}", 2)
    return names


def show(
    company: IdArgument,
    event_id: SecondArgument = None,
    body: Annotated[
        bool,
        typer.Option("--body", help="Also what was received, sent to Fortnox and answered; personal data is masked."),
    ] = False,
    unmasked: Annotated[bool, typer.Option("--unmasked", help="With --body: personal data too.")] = False,
    utc: Utc = False,
    json: Json = False,
) -> None:
    """Show one event: what became of it and why, and each step on the way."""
    if unmasked and not body:
        fail("--unmasked is for --body", 2)
    with connected() as services:
        named = find_event(services, company, event_id)
        found = operation.show(services, *named)
        bodies = None
        if unmasked:
            bodies = operation.unmasked(services, *named, by=actor())
        elif body:
            bodies = operation.bodies(services, *named)
    record = found.record
    if json:
        timeline = [{"at": at.isoformat(), "what": what, **_plain(d)} for at, what, d in found.timeline]
        fields = {"waitsFor": record.blocker, "steps": found.steps, **as_fields(found.state), "timeline": timeline}
        print_json(as_json(record) | fields | (_bodies_as_json(bodies) if bodies else {}))
        return
    show_fields(
        {
            "event": record.id,
            "company": record.company,
            "type": record.type,
            "key": record.key,
            "status": state_in_words(found.state),
            "reason": say(record.reason),
            "Fortnox": record.said,
            "had failed": say(record.before),
            "remedy": say(record.remedy),
            "code": record.code,
            "attempts": record.attempts or "",
            "occurred": local_time(record.occurred_at),
            "accepted": local_time(record.accepted_at),
            "settled": local_time(record.settled_at) if record.settled_at else "",
            "steps": _steps(found.steps),
        }
    )
    out.print()
    words = [(local_time(at, "milliseconds"), *in_words(what, details)) for at, what, details in found.timeline]
    width = max(len(what) for _, what, _ in words)
    for at, what, details in words:
        before = f"{at}  {what}{' ' * (width - len(what))}  "
        first, *rest = wrapped(details, len(before))
        line = f"[dim]{at}[/]  {styled(shown(what))}{shown(first[len(at) + 2 + len(what) :])}"
        out.print("\n".join([line.rstrip(), *map(shown, rest)]), soft_wrap=True)
    if bodies:
        _show_bodies(bodies)


def _bodies_as_json(bodies: ShownBodies) -> dict[str, Any]:
    writes = [write._asdict() | {"at": write.at.isoformat()} for write in bodies.writes]
    return {"body": bodies.received, "writes": writes}


def _show_bodies(bodies: ShownBodies) -> None:
    if bodies.received is None:
        out.print("\nreceived: no longer kept (BODY_RETENTION_DAYS)")
    else:
        _show_json("received:", bodies.received)
    for write in bodies.writes:
        if write.sent is None:
            out.print(f"\nsent: {shown(write.request)}, at {local_time(write.at, 'seconds')}")
        else:
            _show_json(f"sent: {write.request}, at {local_time(write.at, 'seconds')}", write.sent)
        _show_json("answered:", write.answered)


def _show_json(heading: str, value: object) -> None:
    out.print(f"\n{shown(heading)}")
    for line in dumps(value, ensure_ascii=False, indent=2).splitlines():
        out.print(shown(line), soft_wrap=True)


def _steps(recorded: Mapping[str, str]) -> str:
    """The steps for people, without the ledger's number: `created 1001, posted (in doubt)`."""
    from delivery.context import IN_DOUBT, IN_LEDGER, SEEN, TAKEN  # brings the HTTP client, and no list needs it

    marks = {TAKEN: "", IN_DOUBT: " (in doubt)"}
    steps = {name.partition(IN_LEDGER)[0]: value for name, value in recorded.items() if value}
    return ", ".join(f"{step}{marks.get(value, f' {value}')}" for step, value in steps.items() if step != SEEN)


def in_words(what: str, details: dict[str, Any] | Any) -> tuple[str, str]:
    """An entry of the timeline for people: what happened, and the details in one line."""
    given = dict(details)
    if "reason" in given:
        given["reason"] = say(Message.from_json(given["reason"]))
    if what == "request":
        status = given.get("status", "no answer")
        code = f" (code {given['code']})" if "code" in given else ""
        return what, f"{given['method']} {given['path']} → {status}{code}, {given['ms']} ms"
    if "next" in given:
        given["next"] = f"again at {local_time(given['next'])}"
    labels = {"attempt": "attempt {}", "worker": "by {}", "code": "code {}", "behind": "behind {}", "by": "by {}"}
    words = [labels.get(name, "{}").format(value) for name, value in given.items()]
    return what, ", ".join([*(word.rstrip(".") for word in words[:-1]), *words[-1:]])


def _plain(details: Any) -> dict[str, Any]:
    return {name: _plain_value(name, value) for name, value in details.items()}


def _plain_value(name: str, value: Any) -> Any:
    if name == "reason":
        return say(Message.from_json(value))
    return value.isoformat() if isinstance(value, datetime) else value
