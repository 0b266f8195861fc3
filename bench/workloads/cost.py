"""The cost of an event in time and memory, while few and while many events wait. The engine alone, without Celery."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from statistics import median

from redis import Redis

from bench.environment import Environment, Variant
from bench.plan import spread
from bench.result import Row, Section, at_most
from bench.rounds import Bench, say
from bench.variants import OURS
from delivery.admission import admit
from moment.events import Event, parse_event
from ordering import Done, Ordering, Wakeup
from stores import Vault

BLOCK = 250  # cycles measured at a time, few and many waiting alternately
BLOCKS = 10
COMPANIES = 50


class Line:
    """An engine with keys of its own, and the events that it released."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._ordering = Ordering(redis, prefix=f"{name}:")
        self._vault = Vault(())
        self._woken: deque[Wakeup] = deque()

    def admit(self, events: Iterable[Event]) -> None:
        for event in events:
            self._woken += admit(event, self._ordering, self._vault).wakeups

    def run(self) -> None:
        """Run one of the ready events."""
        woken = self._woken.popleft()
        claim = self._ordering.claim(woken.company, woken.id)
        assert claim is not None
        self._woken += self._ordering.settle(claim, Done())

    def cycles(self, events: list[Event]) -> float:
        """Microseconds for an event: each of these is admitted, and as many waiting events run."""
        began = time.perf_counter()
        for event in events:
            self.admit([event])
            self.run()
        return 1e6 * (time.perf_counter() - began) / len(events)


def some(events: int, waiting: int, seed: int = 1) -> Iterator[Event]:
    """Events on as many keys as hold `waiting` events: ten events a key if there are many."""
    keys = max(500, waiting // 10)
    return (parse_event(event.event) for event in spread(events, keys=keys, companies=COMPANIES, seed=seed))


def measured(variant: Variant, few: int, many: int) -> list[Row]:
    with Environment(variant) as environment:
        lines: dict[int, Line] = {}
        figures: dict[int, dict[str, float]] = {}
        for name, waiting in (("few", few), ("many", many)):
            line = lines[waiting] = Line(environment.redis, name)
            say(f"  {waiting:,} waiting, {variant.name}")
            before = environment.memory()
            line.admit(some(waiting, waiting))
            taken = (environment.memory() - before) / waiting
            body = sum(event.size for event in spread(100, keys=100, companies=COMPANIES)) / 100
            figures[waiting] = {"bytes/waiting": taken - body}
        times: dict[int, list[float]] = {few: [], many: []}
        for block in range(BLOCKS):
            for waiting, line in lines.items():
                times[waiting].append(line.cycles(list(some(BLOCK, waiting, seed=2 + block))))
        ratio = median(b / a for a, b in zip(times[few], times[many], strict=True))
        for waiting in lines:
            figures[waiting]["µs an event"] = median(times[waiting])
        figures[many]["ratio"] = ratio
    return [Row(f"{variant.name}, {waiting:,} waiting", figures[waiting], BLOCKS) for waiting in lines]


def flat(bench: Bench) -> list[Section]:
    few, many = 1_000, bench.size(100_000, 5_000)
    rows = measured(OURS, few, many)
    section = Section("F", f"cost of an event with {few:,} and with {many:,} waiting, the engine alone", rows)
    many_row = rows[1].name
    return [
        section.with_targets(
            at_most(f"≤ 1.1 × at {many:,} of what it is at {few:,}", section.figure(many_row, "ratio"), 1.1),
            at_most("≤ 1,500 bytes of Redis per waiting event", section.figure(many_row, "bytes/waiting"), 1500),
        )
    ]
