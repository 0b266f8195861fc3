"""`moment-fortnox publish`: events from JSON lines, all of them or none."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli.console import Json, connected, err, fail, out, print_json, say, settings, shown
from messages import Message
from moment.events import Event
from operations import publish as operation
from operations.publish import BadLine, read_lines

MANY = 200  # events from which on a bar shows how far it is


def publish(
    file: Annotated[str, typer.Argument(help="A file with one event per line, or - for standard input.")],
    json: Json = False,
) -> None:
    """Publish events from a file of JSON lines: all are valid, or none is accepted.

    An event whose id is known already is left as it is, so a file can be published twice without harm.
    """
    events, bad = read_lines(_lines(file), settings().max_event_bytes)
    if bad:
        _refuse(bad, len(events), json)
    if not events:
        fail(f"{file}: no events in it", 2)
    with connected() as services:
        accepted = sum(operation.publish(services, event) for event in _with_a_bar(events))
    known = len(events) - accepted
    if json:
        print_json({"accepted": accepted, "known": known})
    else:
        out.print(f"{accepted} accepted" + (f", {known} known already" if known else ""))


def _with_a_bar(events: list[Event]) -> Iterable[Event]:
    if len(events) < MANY:
        return events
    from rich.progress import track

    return track(events, "Publishing", console=err, transient=True)


def _lines(file: str) -> list[str]:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return text.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}", 2)


def _refuse(bad: list[BadLine], valid: int, json: bool) -> None:
    """Name every problem of every bad line, and end the command: nothing was accepted."""
    if json:
        refused = [
            {"line": line.number, "path": one.path, "problem": say(one.problem), "value": _text(one.value)}
            for line in bad
            for one in line.problems
        ]
        print_json({"accepted": 0, "known": 0, "refused": refused})
    else:
        for line in bad:
            for problem in line.problems:
                err.print(f"line {line.number}: {shown(problem)}", soft_wrap=True)
        err.print(f"Nothing was accepted: {len(bad)} of {valid + len(bad)} lines are not valid events.")
    raise typer.Exit(1)


def _text(value: str | Message) -> str:
    return say(value) if isinstance(value, Message) else value
