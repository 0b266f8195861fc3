"""`moment-fortnox events export`: the transfer log as JSON lines or CSV, for spreadsheets and other programs."""

import csv
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cli.console import connected, err, fail
from cli.events import Company, Key, Number, Since, Status, Until, as_json, check_companies, to_filter
from cli.printable import json_text, printable
from operations import events as operation
from operations.events import LogLine

COLUMNS = (
    "id",
    "company",
    "type",
    "key",
    "status",
    "reason",
    "remedy",
    "code",
    "said",
    "hadFailed",
    "attempts",
    "occurredAt",
    "acceptedAt",
    "settledAt",
    "number",
    "seconds",
    "requests",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins with one of these


class Format(StrEnum):
    """What is written."""

    JSONL = "jsonl"
    CSV = "csv"


def export(
    company: Company = None,
    status: Status = None,
    key: Key = None,
    number: Number = None,
    since: Since = None,
    until: Until = None,
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or CSV with a line of names.")] = Format.JSONL,
    output: Annotated[Path | None, typer.Option("--output", help="A file; standard output if left out.")] = None,
) -> None:
    """Export the transfer log: an event a line, newest first, with its requests to Fortnox."""
    wanted = to_filter(company, status, key, number, since=since, until=until)
    with connected() as services, ExitStack() as stack:
        check_companies(services, company, key)
        stream = stack.enter_context(_opened(output)) if output else sys.stdout
        progress = stack.enter_context(
            Progress(
                TextColumn("Exporting {task.completed:,.0f}"),
                TimeElapsedColumn(),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            )
        )
        rows = progress.track(map(row, operation.export(services, wanted)), total=None)
        if form is Format.CSV:
            _write_csv(rows, stream)
        else:
            stream.writelines(json_text(row) + "\n" for row in rows)


def _opened(output: Path) -> TextIO:
    try:
        return output.open("w", encoding="utf-8", newline="")
    except OSError as error:
        fail(f"--output {output}: {error.strerror}", 2)


def row(line: LogLine) -> dict[str, Any]:
    """A line of the log under its names in JSON and CSV."""
    return as_json(line.record) | {"number": line.number, "seconds": line.seconds, "requests": line.requests}


def _write_csv(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    for one in rows:
        writer.writerow({name: harmless(value) for name, value in one.items()})


def harmless(value: Any) -> Any:
    """The value as a cell that a spreadsheet shows, and does not calculate."""
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(FORMULA_STARTS) else printable(value)
