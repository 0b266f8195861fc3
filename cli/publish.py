"""`moment-fortnox publish`: events from JSON lines, all of them or none."""

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.markup import escape
from rich.progress import track

from cli.console import Json, connected, err, fail, out, print_json
from moment.events import Event, InvalidEvent, Problem, parse_event
from worker.publish import publish as publish_event


class BadLine(NamedTuple):
    """A line that is no event of the contract. Lines count from 1."""

    number: int
    problems: tuple[Problem, ...]


def publish(
    file: Annotated[str, typer.Argument(help="A file with one event per line, or - for standard input.")],
    json: Json = False,
) -> None:
    """Publish events from a file of JSON lines: all are valid, or none is accepted.

    An event whose id is known already is left as it is, so a file can be published twice without harm.
    """
    events, bad = _read(_lines(file))
    if bad:
        _refuse(bad, len(events), json)
    if not events:
        fail(f"{file}: no events in it", 2)
    known = 0
    with connected() as app:
        for event in track(events, "Publishing", console=err, transient=True, disable=len(events) < 200):
            known += publish_event(event, services=app.services).known
    accepted = len(events) - known
    if json:
        print_json({"accepted": accepted, "known": known})
    else:
        out.print(f"{accepted} accepted" + (f", {known} known already" if known else ""))


def _lines(file: str) -> list[str]:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return text.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}", 2)


def _read(lines: list[str]) -> tuple[list[Event], list[BadLine]]:
    events: list[Event] = []
    bad: list[BadLine] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            events.append(parse_event(line))
        except InvalidEvent as error:
            bad.append(BadLine(number, error.problems))
    return events, bad


def _refuse(bad: list[BadLine], valid: int, json: bool) -> None:
    """Names every fault of every bad line, and ends the command: nothing was accepted."""
    if json:
        refused = [{"line": line.number, **problem._asdict()} for line in bad for problem in line.problems]
        print_json({"accepted": 0, "known": 0, "refused": refused})
    else:
        for line in bad:
            for problem in line.problems:
                err.print(f"line {line.number}: {escape(str(problem))}", soft_wrap=True)
        err.print(f"Nothing was accepted: {len(bad)} of {valid + len(bad)} lines are not valid events.")
    raise typer.Exit(1)
