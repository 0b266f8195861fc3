"""The work of an event, the same in every system: record it, wait and fail as planned."""

import time
from functools import cache

from bench.record import Writer
from bench.settings import WorkerSettings
from moment.events import InvoiceEvent


class FirstAttemptFails(Exception):
    """The plan wants this event's first attempt to fail."""


@cache
def writer() -> Writer:
    return Writer(WorkerSettings().record)  # type: ignore[call-arg]  # from the environment


def handle(event: InvoiceEvent, attempt: int) -> None:
    """`attempt` counts from 0. Raises `FirstAttemptFails`."""
    work_ms, fails = map(int, (event.invoice.description or "0 0").split())
    record = writer()
    record.write("start", event.id)
    if work_ms:
        time.sleep(work_ms / 1000)
    if fails and attempt == 0:
        record.write("fail", event.id)
        raise FirstAttemptFails
    record.write("done", event.id)
