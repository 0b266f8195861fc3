"""The time from publish to start: on an idle system, and beside a company with a large backlog."""

import random

from bench import judge
from bench.environment import Environment, Variant
from bench.plan import Plan, at_random, spread
from bench.result import Section, at_most
from bench.rounds import Bench
from bench.variants import CELERY, OURS, OURS_ALWAYS
from bench.workloads.drain import SLOTS

PATIENCE = 90.0  # s


def singles(events: int, seed: int, name: str = "small") -> Plan:
    """Single events at irregular times, so that they match no timer's period."""
    return at_random(spread(events, keys=events, companies=1, name=name, seed=seed), 0.03, 0.09, random.Random(seed))


def delay(environment: Environment, plan: Plan) -> judge.Spread:
    environment.publish(plan)
    environment.wait((event.id for event in plan), PATIENCE, environment.check)
    ids = {event.id for event in plan}
    published = {event_id: at for event_id, at in environment.published.items() if event_id in ids}
    return judge.delays(environment.record.entries, published)


def warm_up(environment: Environment, seed: int) -> None:
    """Run an event in each process, since the first one builds its clients."""
    delay(environment, singles(4 * SLOTS, seed))


def idle(bench: Bench) -> list[Section]:
    events = bench.size(200, 60)

    def run(variant: Variant) -> dict[str, float]:
        with Environment(variant) as environment:
            environment.start_worker(SLOTS)
            warm_up(environment, seed=0)
            found = delay(environment, singles(events, seed=1))
            return {"p50 ms": found.p50, "p99 ms": found.p99}

    rows = bench.compare(run, [CELERY, OURS, OURS_ALWAYS], seconds=50)
    section = Section("I", f"publish to start when idle, {events} single events, 8 processes", rows)
    return [
        section.with_targets(
            at_most("p50 < 15 ms", section.figure("ours", "p50 ms"), 15, " ms"),
            at_most("p99 < 60 ms", section.figure("ours", "p99 ms"), 60, " ms"),
            at_most("p50 < 15 ms with fsync always", section.figure(OURS_ALWAYS.name, "p50 ms"), 15, " ms"),
            at_most("p99 < 60 ms with fsync always", section.figure(OURS_ALWAYS.name, "p99 ms"), 60, " ms"),
        )
    ]


def neighbour(bench: Bench) -> list[Section]:
    events, backlog = bench.size(150, 40), bench.size(20_000, 1_000)

    def run(variant: Variant) -> dict[str, float]:
        with Environment(variant) as environment:
            worker = environment.start_worker(SLOTS)
            warm_up(environment, seed=0)
            alone = delay(environment, singles(events, seed=1))
            worker.stop()
            environment.publish(spread(backlog, keys=backlog // 10, companies=1, name="large"))
            worker.start()
            environment.wait_ready(worker)
            environment.wait_done(events, PATIENCE)  # the backlog's own first events warm the processes up
            beside = delay(environment, singles(events, seed=2))
            return {
                "alone p50 ms": alone.p50,
                "alone p99 ms": alone.p99,
                "beside p50 ms": beside.p50,
                "beside p99 ms": beside.p99,
                "added to p99, ms": beside.p99 - alone.p99,
            }

    rows = bench.compare(run, [CELERY, OURS], seconds=60)
    title = f"one company's backlog of {backlog:,} no-op events beside single events of another, 8 processes"
    section = Section("N", title, rows)
    return [
        section.with_targets(
            at_most("adds < 100 ms to the other's p99", section.figure("ours", "added to p99, ms"), 100, " ms")
        )
    ]
