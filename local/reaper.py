"""Ends the process groups of a parent that died without ending them, even by SIGKILL.

Runs as a process of its own, as a plain file with nothing but the standard library (`python -I -S`), so
that it starts in a few milliseconds. The parent writes `+PGID` and `-PGID` lines to its standard input;
the end of that input is the parent's death. A pipe needs neither Linux's PR_SET_PDEATHSIG, which follows
the starting thread rather than the process, nor polling, and it reaches grandchildren.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 3.0  # between SIGTERM and SIGKILL


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which stops its children itself
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.append(group)
        elif group in groups:
            groups.remove(group)
    _end(groups)


def _end(groups: list[int]) -> None:
    groups = [group for group in reversed(groups) if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        groups = [group for group in groups if _signal(group, 0)]
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether the group was there to be signalled."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


if __name__ == "__main__":
    main()
