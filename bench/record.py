"""What happened: a line for the start and the end of every attempt, appended by the handlers to one file.

A line is one `write` to a file opened for appending, so that a SIGKILL takes no line along and processes do not
mix theirs. Times are of the monotonic clock, which is one for all processes of a machine. Attempts of a killed
process group have no end of their own; the line `killed` ends them.
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
    """A handler's end. Safe after a fork."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, kind: Kind, event_id: str = NOBODY, *, group: int | None = None) -> None:
        """`group`: the process group of whom it tells, this process's own by default."""
        line = f"{kind} {event_id} {group or os.getpgrp()} {time.monotonic_ns()}\n"
        os.write(self._file, line.encode())


class Reader:
    """The judge's end: reads on from where it stopped."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open(encoding="ascii")
        self._rest = ""
        self.entries: list[Entry] = []
        self.done: set[str] = set()

    def look(self) -> None:
        """Takes in what was written since."""
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
