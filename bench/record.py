"""The record of a run: handlers append a line to one file for the start and the end of every attempt.

A line is one `write` to a file opened for appending: a SIGKILL loses no line, and lines of processes do not mix.
Times are of the monotonic clock, which all processes of a machine share. A line `killed` ends the attempts of a
killed process group.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["start", "done", "fail", "killed"]
NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Entry:
    kind: str
    id: str
    group: int  # process group
    time: float  # s


class Writer:
    """Appends lines, in a handler. Safe after a fork."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, kind: Kind, event_id: str = NOBODY, *, group: int | None = None) -> None:
        """`group`: the process group that the line is about, by default this process's."""
        line = f"{kind} {event_id} {group or os.getpgrp()} {time.monotonic_ns()}\n"
        os.write(self._file, line.encode())


class Reader:
    """Reads the lines written since the last read."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open(encoding="ascii")
        self._rest = ""
        self.entries: list[Entry] = []
        self.done: set[str] = set()

    def look(self) -> None:
        """Read the lines written since the last call."""
        text = self._rest + self._file.read()
        *lines, self._rest = text.split("\n")
        for entry in _entries(lines):
            self.entries.append(entry)
            if entry.kind == "done":
                self.done.add(entry.id)

    def close(self) -> None:
        self._file.close()


def _entries(lines: list[str]) -> Iterator[Entry]:
    for line in lines:
        kind, event_id, group, nanoseconds = line.split()
        yield Entry(kind, event_id, int(group), int(nanoseconds) / 1e9)
