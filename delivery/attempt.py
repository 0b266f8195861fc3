"""The log of one attempt at an event: when it was claimed, each request to Fortnox, and how it ended.

Entries are collected in memory. A long attempt is written as it runs, so that a process that dies leaves most of it.
The log is for people and metrics: no decision depends on it.
"""

import os
import socket
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.client import Pipeline

from messages import NOTHING
from ordering import Claim, Done, Failed, Outcome, Skipped, Superseded
from stores import TimelineEntry
from stores.counters import Tally
from stores.heartbeats import WORKER
from stores.telemetry import Telemetry
from stores.timeline import LONGEST
from tasks.flows import numbered

if TYPE_CHECKING:
    from fortnox.transport import Exchange, Write

GATHERED_SECONDS: Final = 1.0
COUNTED_BY_ENGINE: Final = (Failed, Skipped, Superseded)  # the engine counts what settles an event, also by hand

_current: ContextVar["Attempt | None"] = ContextVar("attempt", default=None)


class Attempt:
    """Use as a context manager: it records every request that its thread makes."""

    def __init__(self, claim: Claim, telemetry: Telemetry) -> None:
        self._claim = claim
        self._write_buffer = telemetry.write_buffer
        self._heartbeats = telemetry.heartbeats
        self._timeline = telemetry.timeline
        self._counters = telemetry.counters
        self._bodies = telemetry.bodies
        self._writes: list[dict[str, Any]] = []
        self._written = time.monotonic()
        self._exchanges: list[Exchange] = []
        self._entries = [_entry("claimed", attempt=claim.attempts + 1, worker=this_worker())]

    def __enter__(self) -> "Attempt":
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    def requested(self, exchange: "Exchange") -> None:
        """Record a request. Must not raise: the request has been executed."""
        self._exchanges.append(exchange)
        self._entries.append(
            _entry(
                "request",
                method=exchange.method,
                path=exchange.path,
                status=exchange.status,
                code=exchange.code,
                ms=round(exchange.seconds * 1000),
                request=exchange.request_id,
            )
        )
        if time.monotonic() - self._written > GATHERED_SECONDS:
            self._write()

    def wrote(self, write: "Write") -> None:
        """Keep what was written to Fortnox and answered. Must not raise: the request has been executed."""
        sent, answered = (text.decode("utf-8", "replace") for text in (write.sent, write.answered))
        kept = write._asdict() | {"at": time.time(), "sent": sent, "answered": answered}
        self._writes.append(kept)

    def broke(self, error: BaseException) -> None:
        """Record an unexpected error with its message, which is withheld from the log and from Sentry."""
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in place]
        self._entries.append(_entry("error", error=type(error).__name__, message=str(error), where=" ".join(where)))

    def lost(self) -> None:
        """Record that another holder has the event now."""
        self._entries.append(_entry("lease lost"))
        self._write()

    def end(self, outcome: Outcome) -> None:
        """Record how the attempt ended."""
        self._entries.append(_ending(outcome))
        self._write(outcome)

    def _write(self, outcome: Outcome | None = None) -> None:
        """Hand over everything recorded since the last time."""
        claim, entries, tally = self._claim, self._entries[-LONGEST:], Tally()
        for exchange in self._exchanges:
            count_request(tally, exchange)
        if outcome is not None:
            self._count_ending(tally, outcome)
        self._entries, self._exchanges, self._written = [], [], time.monotonic()

        def write(pipeline: "Pipeline") -> None:
            self._timeline.append(
                pipeline,
                claim.company,
                claim.id,
                entries,
                counters=self._counters.key,
                tally=tally,
            )
            self._heartbeats.add(pipeline, WORKER)
            if outcome is not None:
                self._keep_bodies(pipeline, outcome)

        self._write_buffer.put(write)

    def _keep_bodies(self, pipeline: Pipeline, outcome: Outcome) -> None:
        """Store the writes for whoever looks at the event, and what was received where the engine forgets it."""
        claim = self._claim
        forgotten = isinstance(outcome, Done | Superseded) and not getattr(outcome, "again", False)
        received = claim.body if forgotten and numbered(claim.type) else None
        if self._writes or received is not None:
            self._bodies.put(pipeline, claim.company, claim.id, self._writes, received)

    def _count_ending(self, tally: Tally, outcome: Outcome) -> None:
        kind = self._claim.type.partition(".")[0]
        if isinstance(outcome, Done):
            age = (datetime.now(UTC) - self._claim.accepted_at).total_seconds()
            tally.observe("delivery_seconds", kind, seconds=age)
        elif not isinstance(outcome, COUNTED_BY_ENGINE):
            tally.add("attempts", kind, type(outcome).__name__.lower())


def current_attempt() -> Attempt | None:
    """The attempt that this thread runs, or None."""
    return _current.get()


def count_request(tally: Tally, exchange: "Exchange") -> None:
    tally.add("requests", exchange.method, exchange.path, str(exchange.status or "none"))
    tally.observe("request_seconds", seconds=exchange.seconds)


@cache
def _host() -> str:
    return socket.gethostname()


def this_worker() -> str:
    """This process as `host:pid`."""
    return f"{_host()}:{os.getpid()}"


def _ending(outcome: Outcome) -> TimelineEntry:
    after: timedelta | None = getattr(outcome, "after", None) or getattr(outcome, "rest", None)
    return _entry(
        type(outcome).__name__.lower(),
        code=getattr(outcome, "code", ""),
        reason=getattr(outcome, "reason", NOTHING).to_json(),
        behind=getattr(outcome, "key", ""),
        next=None if after is None else datetime.now(UTC) + after,
    )


def _entry(what: str, **details: Any) -> TimelineEntry:
    return TimelineEntry(datetime.now(UTC), what, details)
