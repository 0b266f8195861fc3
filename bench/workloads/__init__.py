"""The workloads, in the order in which they run."""

from collections.abc import Callable, Iterable, Mapping

from bench.result import Section
from bench.rounds import Bench
from bench.workloads import cost, drain, feed, hot_key, invoices, kills, latency, scale

Workload = Callable[[Bench], Iterable[Section]]

WORKLOADS: Mapping[str, Workload] = {
    "A": drain.no_op,
    "B": drain.short_handler,
    "C": drain.failing,
    "D": kills.killed,
    "E": hot_key.hot_key,
    "K": drain.one_key,
    "I": latency.idle,
    "N": latency.neighbour,
    "F": cost.flat,
    "R": invoices.at_the_rate_limit,
    "W": feed.by_feed_and_by_polls,
    "S": scale.carried,
}
ALONE = ("S",)  # takes ten minutes, and runs where it is named: docs/scale.md
