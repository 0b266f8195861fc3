"""Judges a run from its plan and its record. Pure.

*violation*: an event's first completion came after that of a later event of its key. *early*: it started before an
earlier event of its key had completed. *overlap*: an attempt started while another of its key ran. *duplicate*: it
completed again. *lost*: it had not completed at the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import quantiles

from bench.plan import Plan
from bench.record import Entry


@dataclass(frozen=True, slots=True)
class Order:
    """Violations counted in events (overlaps: in attempts)."""

    violations: int = 0
    early: int = 0
    overlaps: int = 0
    duplicates: int = 0
    lost: int = 0

    @property
    def counts(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of times, in ms."""

    p50: float
    p99: float


def order(plan: Plan, entries: Iterable[Entry]) -> Order:
    keys: dict[str, list[str]] = defaultdict(list)
    for event in plan:
        keys[event.key].append(event.id)
    key_of = {event.id: event.key for event in plan}

    started: dict[str, float] = {}
    done: dict[str, float] = {}
    running: dict[str, dict[str, int]] = defaultdict(dict)  # key → event → process group
    duplicates = overlaps = 0
    for entry in sorted(entries, key=lambda entry: entry.time):
        if entry.kind == "killed":
            for attempts in running.values():
                for event_id in [event_id for event_id, group in attempts.items() if group == entry.group]:
                    del attempts[event_id]
            continue
        busy = running[key_of[entry.id]]
        if entry.kind == "start":
            started.setdefault(entry.id, entry.time)
            overlaps += bool(busy)
            busy[entry.id] = entry.group
            continue
        busy.pop(entry.id, None)
        if entry.kind == "done":
            duplicates += entry.id in done
            done.setdefault(entry.id, entry.time)
    return Order(
        violations=sum(_violations(ids, done) for ids in keys.values()),
        early=sum(_early(ids, started, done) for ids in keys.values()),
        overlaps=overlaps,
        duplicates=duplicates,
        lost=len(key_of) - len(done),
    )


def _violations(ids: list[str], done: Mapping[str, float]) -> int:
    found, earliest_later = 0, float("inf")
    for event_id in reversed(ids):
        if event_id in done:
            found += done[event_id] > earliest_later
            earliest_later = min(earliest_later, done[event_id])
    return found


def _early(ids: list[str], started: Mapping[str, float], done: Mapping[str, float]) -> int:
    found, latest_earlier = 0, float("-inf")
    for event_id in ids:
        found += event_id in started and started[event_id] < latest_earlier
        latest_earlier = max(latest_earlier, done.get(event_id, float("inf")))
    return found


def seconds(entries: Iterable[Entry], of: set[str] | None = None) -> float:
    """Seconds from the first start to the last completion, of all events or these."""
    starts, ends = [], []
    for entry in entries:
        if entry.kind == "start":
            starts.append(entry.time)
        elif entry.kind == "done" and (of is None or entry.id in of):
            ends.append(entry.time)
    return max(ends) - min(starts) if ends else float("nan")


def delays(entries: Iterable[Entry], published: Mapping[str, float]) -> Spread:
    """The times from publishing to the first start."""
    first: dict[str, float] = {}
    for entry in entries:
        if entry.kind == "start" and entry.id in published:
            first.setdefault(entry.id, entry.time)
    waits = [1000 * (at - published[event_id]) for event_id, at in first.items()]
    if len(waits) < 2:
        return Spread(float("nan"), float("nan"))
    cuts = quantiles(waits, n=100, method="inclusive")
    return Spread(p50=cuts[49], p99=cuts[98])
