"""E: as many events on one hot key as on 400 other keys together. How much slower do the others get?"""

from bench import judge
from bench.environment import Environment, Variant
from bench.plan import Plan, one_by_one, spread
from bench.result import COUNTS, Section, at_most, none_of
from bench.rounds import Bench
from bench.variants import CELERY, LOCK, OURS, OURS_ONE
from bench.workloads.drain import SLOTS

TIMEOUT = 60.0  # s


def others_alone_and_with(variant: Variant, others: Plan, hot: Plan) -> dict[str, float]:
    alone, _ = _seconds(variant, others, others)
    both = one_by_one(hot, others)
    with_hot, environment = _seconds(variant, others, both)
    entries = environment.record.entries
    return {
        "400 keys alone, s": alone,
        "400 keys beside it, s": with_hot,
        "lost by them, %": 100 * (with_hot / alone - 1),
        "all, s": judge.seconds(entries),
        **judge.order(both, entries).counts,
    }


def _seconds(variant: Variant, of: Plan, plan: Plan) -> tuple[float, Environment]:
    with Environment(variant) as environment:
        environment.publish(plan)
        environment.start_worker(SLOTS)
        environment.wait((event.id for event in plan), TIMEOUT, environment.check)
        return judge.seconds(environment.record.entries, {event.id for event in of}), environment


def hot_key(bench: Bench) -> list[Section]:
    events = bench.size(2_000, 500)

    def run(variant: Variant) -> dict[str, float]:
        others = spread(events, keys=400, companies=variant.companies, work_ms=5)
        # One of the company's keys, so it counts towards the company's cap.
        hot = spread(events, keys=1, companies=1, work_ms=5, first_number=9_000, seed=2)
        return others_alone_and_with(variant, others, hot)

    rows = bench.compare(run, [CELERY, OURS], [LOCK, OURS_ONE], seconds=130)
    title = f"{events:,} events of 5 ms on one hot key beside {events:,} on 400 keys, 8 processes"
    section = Section("E", title, rows)
    return [
        section.with_targets(
            at_most("the 400 others lose < 5 %", section.figure("ours", "lost by them, %"), 5, " %"),
            none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS),
        )
    ]
