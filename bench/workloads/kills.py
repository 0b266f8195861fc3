"""D: workers are killed while events come in. What is lost, out of order, and how long does it take to recover?

Each system produces and is killed on its own; then all are waited for together.
"""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bench import judge
from bench.environment import Environment, Variant
from bench.plan import Plan, paced, spread
from bench.result import COUNTS, Row, Section, at_most, none_of
from bench.rounds import Bench, say
from bench.variants import CELERY, LOCK, OURS, OURS_ALWAYS

WORKERS, SLOTS = 2, 4
RATE = 100.0  # events a second
LOOK = 0.2  # s


@dataclass(frozen=True)
class Killed:
    environment: Environment
    plan: Plan
    last_kill: float  # monotonic, s

    def figures(self) -> dict[str, float]:
        entries = self.environment.record.entries
        done = [entry.time for entry in entries if entry.kind == "done"]
        spread_ = judge.delays(entries, self.environment.published)
        order = judge.order(self.plan, entries)
        return {
            "p50 ms": spread_.p50,
            "p99 ms": spread_.p99,
            **order.counts,
            "last done, s after last kill": float("nan") if order.lost else max(done) - self.last_kill,
        }


def produce_and_kill(environment: Environment, plan: Plan, kills: int) -> Killed:
    """Publish in a thread at the plan's pace. Kill and restart a worker at even intervals."""
    workers = [environment.start_worker(SLOTS, f"worker{number}") for number in range(WORKERS)]
    producer = threading.Thread(target=environment.publish, args=(plan,), daemon=True)
    between = plan[-1].at / kills
    began = time.monotonic()
    producer.start()
    last = began
    for number in range(kills):
        time.sleep(max(0.0, began + (number + 0.5) * between - time.monotonic()))
        worker = workers[number % WORKERS]
        environment.kill(worker)
        last = time.monotonic()
        worker.start()
    producer.join()
    return Killed(environment, plan, last)


def killed(bench: Bench) -> list[Section]:
    events, kills, patience = bench.size(2_000, 500), bench.size(10, 3), float(bench.size(120, 25))
    variants = [CELERY, LOCK, OURS, OURS_ALWAYS]
    if bench.quick:
        variants = [CELERY, replace(OURS, lease=10)]
    with ExitStack() as stack:
        runs: dict[Variant, Killed] = {}
        for variant in variants:
            say(f"  {variant.name}")
            plan = paced(spread(events, keys=100, companies=variant.companies, work_ms=20), each=1 / RATE)
            runs[variant] = produce_and_kill(stack.enter_context(Environment(variant)), plan, kills)
        say("  waiting for what has not been done")
        while any(_is_waited_for(run, patience) for run in runs.values()):
            time.sleep(LOOK)
        rows = [Row(variant.name, run.figures(), 1) for variant, run in runs.items()]
    title = (
        f"{events:,} events of 20 ms at 100/s, {kills} SIGKILLs of one of {WORKERS} workers with {SLOTS} processes each"
    )
    section = Section("D", f"{title}, up to {patience:.0f} s wait", rows)
    last = "last done, s after last kill"
    return [
        section.with_targets(
            none_of("nothing out of order, twice or lost", section.row("ours"), COUNTS),
            *([] if bench.quick else [none_of("the same with fsync always", section.row(OURS_ALWAYS.name), COUNTS)]),
            at_most("the last event done < 8 s after the last kill", section.figure("ours", last), 8, " s"),
        )
    ]


def _is_waited_for(run: Killed, patience: float) -> bool:
    run.environment.record.look()
    all_done = len(run.environment.record.done) == len(run.plan)
    return not all_done and time.monotonic() < run.last_kill + patience
