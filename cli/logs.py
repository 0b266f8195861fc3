"""What is logged while a command runs goes nowhere: the command itself says what a person has to know.

Without this, structlog would print it among the command's output, and the standard library the bare names of events.
"""

import logging
from typing import Any, NoReturn


class _Process:
    """Whether this process runs a command and nothing else."""

    of_command = False


def in_process_of_command() -> None:
    """Say that this process runs a command alone. Before anything is logged."""
    _Process.of_command = True
    logging.getLogger().addHandler(logging.NullHandler())


def silence() -> None:
    """Drop what structlog's loggers are told from now on, in the process of a command."""
    if _Process.of_command:
        import structlog  # slow to import, and loaded by now where a command uses Redis

        structlog.configure(processors=[_drop])


def _drop(*_: Any) -> NoReturn:
    from structlog import DropEvent

    raise DropEvent
