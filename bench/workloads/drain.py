"""A, B, C and one key alone: everything is published, then a worker starts and drains the backlog."""

from bench import judge
from bench.environment import Environment, Variant
from bench.plan import Plan, shortest, spread
from bench.result import COUNTS, Section, at_least, at_most, none_of
from bench.rounds import Bench
from bench.variants import CELERY, CELERY_DEFAULTS, LOCK, OURS, OURS_ALWAYS, OURS_ONE

SLOTS = 8
TIMEOUT = 120.0  # s


def drained(variant: Variant, plan: Plan, slots: int) -> dict[str, float]:
    """Publish the plan, let a worker of `slots` processes drain it, and measure."""
    with Environment(variant) as environment:
        before = environment.memory()
        publishing = environment.publish(plan)
        waiting = environment.memory() - before
        environment.start_worker(slots)
        environment.wait((event.id for event in plan), TIMEOUT, environment.check)
        entries = environment.record.entries
        seconds = judge.seconds(entries)
        spread_ = judge.delays(entries, environment.published)
        order = judge.order(plan, entries)
        return {
            "enqueue/s": len(plan) / publishing,
            "events/s": (len(plan) - order.lost) / seconds,
            "seconds": seconds,
            "p50 ms": spread_.p50,
            "p99 ms": spread_.p99,
            **order.counts,
            "bytes/waiting": waiting / len(plan) - sum(event.size for event in plan) / len(plan),
        }


def no_op(bench: Bench) -> list[Section]:
    events = bench.size(10_000, 1_500)

    def run(variant: Variant) -> dict[str, float]:
        return drained(variant, spread(events, keys=500, companies=variant.companies), slots=2)

    once = [LOCK, CELERY_DEFAULTS, OURS_ALWAYS, OURS_ONE]
    rows = bench.compare(run, [CELERY, OURS], once, rate="events/s", seconds=200)
    section = Section("A", f"{events:,} no-op events over 500 keys, 2 processes", rows)
    return [
        section.with_targets(
            at_least("≥ 1.5 of plain Celery's events/s", section.figure("ours", "of plain"), 1.5),
            at_least("with fsync always ≥ 1.0 of it", section.figure("ours, fsync always", "of plain"), 1.0),
            none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS),
            at_most("≤ 1,500 bytes of Redis per waiting event", section.figure("ours", "bytes/waiting"), 1500),
        )
    ]


def short_handler(bench: Bench) -> list[Section]:
    events = bench.size(2_000, 400)
    ideal = SLOTS / 0.020

    def run(variant: Variant) -> dict[str, float]:
        plan = spread(events, keys=100, companies=variant.companies, work_ms=20)
        figures = drained(variant, plan, SLOTS)
        return figures | {"of ideal": figures["events/s"] / ideal}

    rows = bench.compare(run, [CELERY, OURS], [LOCK, OURS_ALWAYS, OURS_ONE], rate="events/s")
    section = Section("B", f"{events:,} events of 20 ms over 100 keys, 8 processes (ideal {ideal:.0f}/s)", rows)
    return [
        section.with_targets(
            at_least("≥ 0.95 of plain Celery's events/s", section.figure("ours", "of plain"), 0.95),
            at_least("≥ 0.96 of the ideal", section.figure("ours", "of ideal"), 0.96),
            none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS),
        )
    ]


def failing(bench: Bench) -> list[Section]:
    events, fails = bench.size(2_000, 400), bench.size(200, 40)
    best = 0.0

    def run(variant: Variant) -> dict[str, float]:
        nonlocal best
        plan = spread(events, keys=50, companies=variant.companies, work_ms=5, failing=fails, seed=5)
        best = shortest(plan, SLOTS)
        figures = drained(variant, plan, SLOTS)
        return figures | {"of the bound": figures["seconds"] / best}

    rows = bench.compare(run, [CELERY, OURS], [LOCK, OURS_ALWAYS, OURS_ONE], rate="events/s")
    title = f"{events:,} events of 5 ms over 50 keys, {fails} fail once and come back after 0.5 s, 8 processes"
    section = Section("C", f"{title} (perfect order allows {best:.1f} s)", rows)
    return [
        section.with_targets(
            at_most("within 1.06 × of what perfect order allows", section.figure("ours", "of the bound"), 1.06),
            none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS),
        )
    ]


def one_key(bench: Bench) -> list[Section]:
    events = bench.size(1_000, 200)

    def run(variant: Variant) -> dict[str, float]:
        return drained(variant, spread(events, keys=1, companies=1), SLOTS)

    rows = bench.compare(run, [CELERY, OURS], [LOCK], rate="events/s", seconds=30)
    section = Section("K", f"{events:,} no-op events of one key alone, 8 processes", rows)
    return [section.with_targets(none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS))]
