"""`moment-fortnox publish`: events from a file or standard input, all of them or none."""

import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli.console import Json, actor, connected, err, fail, out, print_json, say, settings, shown
from config.settings import load_producer_settings
from messages import Message
from moment.events import Event
from operations import publish as operation
from operations.publish import BadEvent, read_events

MANY = 200  # events from which on a bar shows how far it is


def publish(
    file: Annotated[
        str, typer.Argument(help="A file of JSON lines, one object or an array of them; - for standard input.")
    ],
    json: Json = False,
) -> None:
    """Publish events from a file (JSON lines, one object, or an array): all are valid, or none is accepted.

    An event whose id is known already is left as it is, so a file can be published twice without harm.
    """
    events, bad = read_events(_text_of(file), settings(load_producer_settings).max_event_bytes)
    if bad:
        _refuse(bad, len(events), json)
    if not events:
        fail(f"{file}: no events in it", 2)
    with connected(load_producer_settings) as services:
        companies = {event.company for event in events}
        accepted = sum(operation.publish_each(services, _with_a_bar(events), companies, by=actor()))
    known = len(events) - accepted
    unknown = Counter(path for event in events for path in event.unknown_fields)
    if json:
        print_json({"accepted": accepted, "known": known, "unknownFields": unknown})
        return
    out.print(f"{accepted} accepted" + (f", {known} known already" if known else ""))
    for path, times in unknown.items():
        err.print(f"[yellow]not used:[/] {shown(path)} is no field of an event ({times} of {len(events)} have it)")


def _with_a_bar(events: list[Event]) -> Iterable[Event]:
    if len(events) < MANY:
        return events
    from rich.progress import track

    return track(events, "Publishing", console=err, transient=True, disable=not err.is_terminal)


def _text_of(file: str) -> str:
    if not file:
        fail("give a file, or - for standard input", 2)
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            fail(f"{file} is UTF-16, as PowerShell's > writes it: save it as UTF-8", 2)
        return raw.decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fail(f"{file} is not UTF-8, as line {line} shows: save it as UTF-8", 2)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", 2)


def _refuse(bad: list[BadEvent], valid: int, json: bool) -> None:
    """Name every problem of every bad event, and end the command: nothing was accepted."""
    if json:
        refused = [
            {
                "line": event.line,
                "item": event.item,
                "path": one.path,
                "problem": say(one.problem),
                "value": _text(one.value),
            }
            for event in bad
            for one in event.problems
        ]
        print_json({"accepted": 0, "known": 0, "refused": refused})
    else:
        for event in bad:
            place = f"line {event.line}" if event.item is None else f"item {event.item}, line {event.line}"
            for problem in event.problems:
                err.print(f"{place}: {shown(problem)}", soft_wrap=True)
        err.print(f"Nothing was accepted: {len(bad)} of {valid + len(bad)} are not valid events.")
    raise typer.Exit(1)


def _text(value: str | Message) -> str:
    return say(value) if isinstance(value, Message) else value
