"""What one Redis carries: ten thousand companies with a million events in their logs, polled, at several rates.

The log is filed by the engine's own Lua. All else is as in production: connected companies with their tokens, real
workers and beat, real requests to the stand-in for Fortnox, and a Redis that waits for the disk at each write.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import psutil
import structlog
from redis import Redis

from bench.environment import DATA
from bench.filling import Filling
from bench.result import Figures, Row, Section, at_most, combined
from bench.rounds import Bench, say
from delivery.services import Services
from local import DeadlineExceeded, ManagedProcess, wait_until
from local.stack import Stack
from operations.health import problems
from operations.status import overview
from ordering import EventRecord
from tasks.report import send_due_mails
from worker.bootstrap import App, create_app
from worker.metrics import registry
from worker.publish import publish

SECONDS: Final = 8  # of publishing in a run
PATIENCE: Final = 60.0  # s for what is late
PROCESSES: Final = 8  # of a worker, as in docker-compose.yml
LONGEST: Final = 13 * 60.0  # s after which no further run begins: the last one takes one and a half minutes at most
RATES: Final = (50, 200, 500)  # events a second
WORKERS: Final = (1, 2, 4)


def carried(bench: Bench) -> Iterator[Section]:
    latest = time.monotonic() + LONGEST
    companies, events = bench.size(10_000, 500), bench.size(1_000_000, 5_000)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=DATA) as directory, Stack(Path(directory)) as stack:
        stack.start_services()
        stack.sandbox.post("options", {"code_seconds": 3600})
        full = Companies(stack, create_app(stack.settings), companies)
        filling = Filling(stack, full.services, companies, events)
        yield Section("S", f"memory: {events:,} settled events of {companies:,} companies", filling.fill())
        yield Section("T", "that Redis starts again", [filling.restart()])
        asked = Section("U", f"what is asked of all {companies:,} companies at once", full.asked())
        slowest = max(asked.figure(row.name, "Redis blocked, ms") for row in asked.rows)
        yield asked.with_targets(at_most("Redis serves nobody else for ≤ 100 ms", slowest, 100, " ms"))
        rates, workers = (RATES, WORKERS) if not bench.quick else (RATES[:1], WORKERS[:1])
        rows = full.published(rates, workers, 1 if bench.quick else bench.repeat, latest)
        title = f"publish to the request, beside the polls of {companies:,} companies; {PROCESSES} processes a worker"
        latency = Section("V", title, rows)
        p50 = latency.figure(name(WORKERS[0], RATES[0]), "p50 ms")
        yield latency.with_targets(at_most("p50 < 100 ms at 50 a second", p50, 100, " ms"))


def name(workers: int, rate: int) -> str:
    return f"{workers} worker{'s' if workers > 1 else ''}, {rate} a second"


@dataclass
class Companies:
    """A running system with so many companies."""

    stack: Stack
    app: App
    companies: int
    workers: list[ManagedProcess] = field(default_factory=list)
    runs: int = 0

    @property
    def services(self) -> Services:
        return self.app.services

    @property
    def redis(self) -> Redis:
        return self.services.redis

    # What looks at every company

    def asked(self) -> list[Row]:
        services, metrics = self.services, registry(self.services)
        questions: dict[str, Callable[[], object]] = {
            "a scrape of the metrics": lambda: list(metrics.collect()),
            "status": lambda: overview(services),
            "health": lambda: problems(services),
            "a round of mails, none due": lambda: send_due_mails(services),
            "beat's question who is to be polled": lambda: services.polling.polls.due(datetime.now(UTC), 170),
        }
        return [self._timed(question, ask) for question, ask in questions.items()]

    def _timed(self, question: str, ask: Callable[[], object]) -> Row:
        say(f"  {question}")
        runs: list[Figures] = []
        for _ in range(3):
            self.redis.slowlog_reset()
            began, busy = time.perf_counter(), self._redis_seconds()
            ask()
            seconds, busy = time.perf_counter() - began, self._redis_seconds() - busy
            slow: Any = self.redis.slowlog_get(100)
            blocked = max((entry["duration"] / 1000 for entry in slow), default=0.0)
            runs.append({"ms": 1000 * seconds, "of Redis, ms": 1000 * busy, "Redis blocked, ms": blocked})
        return combined(question, runs)

    def _redis_seconds(self) -> float:
        cpu: Any = self.redis.info("cpu")
        return float(cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"])

    # Latency

    def published(self, rates: Iterable[int], workers: Iterable[int], repeat: int, latest: float) -> list[Row]:
        """Publish at each rate with so many workers. What does not keep up is not repeated.

        No run but the first begins after `latest`, by the monotonic clock.
        """
        self.stack.start_beat()
        rows = []
        for number in workers:
            while len(self.workers) < number:
                self.workers.append(self.stack.start_worker(f"worker-{len(self.workers)}", concurrency=PROCESSES))
            self._publish(number * 10)  # each process builds its clients
            for rate in (0, *rates):
                found: list[Figures] = []
                for turn in range(repeat):
                    if time.monotonic() > latest and len(rows) > 1:
                        break
                    say(f"  {name(number, rate)}, run {turn + 1}")
                    found.append(self._publish(rate))
                    say("    " + ", ".join(f"{what} {value:.1f}" for what, value in found[-1].items()))
                    if found[-1].get("p50 ms", 0.0) > 1000 * SECONDS / 2:
                        break
                if not found:
                    say("  no time is left")
                    return rows
                rows.append(combined(name(number, rate) if rate else f"{name(number, 0)}: the polls alone", found))
        return rows

    def _publish(self, rate: int) -> dict[str, float]:
        """Publish at this rate, 0 for not at all, and measure. Returns when nothing is under way any more."""
        self.runs += 1
        events = [self._event(self.runs, at) for at in range(rate * SECONDS)]
        refs = [(str(event["company"]), str(event["id"])) for event in events]
        published: dict[str, float] = {}
        with self._processor() as used:
            began = time.monotonic()
            for at, event in enumerate(events):
                if (wait := began + at / rate - time.monotonic()) > 0:
                    time.sleep(wait)
                published[event["id"]] = time.time()
                publish(event, services=self.services)
            seconds = time.monotonic() - began
            time.sleep(0 if rate else SECONDS)
            self._wait(refs)
        if not rate:
            return {part: 100 * busy / used.seconds for part, busy in used.busy.items()}
        arrived = self._arrived(refs)
        waits = [1000 * (at - published[event_id]) for event_id, at in arrived.items()]
        cuts = quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else [nan] * 99
        figures = {"p50 ms": cuts[49], "p99 ms": cuts[98], "published/s": len(events) / seconds}
        figures["carried/s"] = len(arrived) / used.seconds
        return figures | {f"{part}, ms an event": 1000 * busy / len(events) for part, busy in used.busy.items()}

    def _event(self, run: int, at: int) -> dict[str, Any]:
        """A new customer, of one company after another."""
        return {
            "id": f"run-{run}-{at}",
            "company": f"company{at * 7919 % self.companies}",
            "type": "customer.created",
            "occurredAt": "2026-11-22T09:00:00Z",
            "customer": {
                "id": run * 1_000_000 + at,
                "customerNumber": str(run * 1_000_000 + at),
                "name": "Skånska Bygg AB",
                "organizationNumber": "556677-8899",
                "email": "faktura@skanskabygg.example",
                "address": {"address1": "Storgatan 1", "zipCode": "211 42", "city": "Malmö", "countryCode": "SE"},
            },
        }

    def _wait(self, refs: list[tuple[str, str]]) -> None:
        """Wait until all of these are settled."""
        left = set(refs)

        def settled() -> bool:
            left.difference_update((one.company, one.id) for one in self._events(left) if one.settled_at)
            return not left

        with suppress(DeadlineExceeded):
            wait_until(settled, what="everything to be transferred", timeout=PATIENCE, interval=0.5)

    def _events(self, refs: Iterable[tuple[str, str]]) -> list[EventRecord]:
        return self.services.ordering.events(refs)

    def _arrived(self, refs: list[tuple[str, str]]) -> dict[str, float]:
        """When each event's request was sent, by the clock of this machine."""
        found = {}
        for (_, event_id), entries in zip(refs, self.services.telemetry.timeline.read_many(refs), strict=True):
            if sent := [entry for entry in entries if entry.what == "request"]:
                found[event_id] = sent[0].at.timestamp() - sent[0].details["ms"] / 1000
        return found

    @contextmanager
    def _processor(self) -> "Iterator[Used]":
        """The processor time of each part meanwhile."""
        before, used = self._busy(), Used()
        began = time.monotonic()
        yield used
        used.seconds = time.monotonic() - began
        used.busy = {part: seconds - before[part] for part, seconds in self._busy().items()}

    def _busy(self) -> dict[str, float]:
        redis, sandbox = (
            psutil.Process(self.stack._redis.process.pid),
            psutil.Process(self.stack._processes["sandbox"].pid),
        )
        return {
            "Redis": _seconds([redis]),
            "workers": _seconds([process for worker in self.workers for process in _tree(worker)]),
            "stand-in": _seconds([sandbox]),
            "publisher": _seconds([psutil.Process()]),
        }


@dataclass
class Used:
    seconds: float = 0.0
    busy: dict[str, float] = field(default_factory=dict)


def _tree(worker: ManagedProcess) -> list[psutil.Process]:
    process = psutil.Process(worker.pid)
    return [process, *process.children(recursive=True)]


def _seconds(processes: Iterable[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))
