"""`python -m bench.log`: how long `events list` takes over a full transfer log and over very many open events, and how
long it blocks Redis. Exit status 1 when one of the two is too long.

The engine's own Lua fills the log, a thousand events a call. Each query runs as in the command, on a new connection,
and once as the command itself, whose time is mostly Python's start.
"""

import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Final

from redis import Redis
from rich.console import Console
from rich.progress import track

from config.environment import child_environment
from local import EmbeddedRedis
from ordering import Ordering
from ordering.history import Filter, find
from ordering.queries import LUA, PREFIX

BATCH: Final = 1000
TARGET_MS: Final = 200.0
SEARCH_MS: Final = 3000.0  # for rare events among 100,000 open ones: each is read
BLOCKED_MS: Final = 50.0  # during which Redis serves nobody else
ROUNDS: Final = 5


def main() -> int:
    parser = ArgumentParser(prog="python -m bench.log", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--companies", type=int, default=1_000)
    wanted = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="bench-log-") as directory,
        EmbeddedRedis(Path(directory), appendonly=False, appendfsync="no") as server,
    ):
        bytes_each = seed(server.url, wanted.events, wanted.companies)
        seed(server.url, wanted.open, wanted.companies, first=wanted.events, under_way=True)
        console.print(
            f"{wanted.events:,} settled and {wanted.open:,} open events of {wanted.companies:,} companies, "
            f"{bytes_each:.0f} bytes each"
        )
        slowest = {TARGET_MS: 0.0, SEARCH_MS: 0.0}
        for name, (target, question) in questions().items():
            times, rows = zip(*(asked(server.url, question) for _ in range(ROUNDS)), strict=True)
            slowest[target] = max(slowest[target], *times)
            console.print(
                f"{name:<46} {rows[0]:>4} rows  {sorted(times)[ROUNDS // 2]:7.1f} ms, at most {max(times):.1f}"
            )
        console.print(f"{'the command itself, with Python’s start':<46}            {command(server.url):7.1f} ms")
        blocked = longest(server.url)
    found = [
        (f"every question of an index < {TARGET_MS:.0f} ms", slowest[TARGET_MS], TARGET_MS),
        (f"every search among the open < {SEARCH_MS:.0f} ms", slowest[SEARCH_MS], SEARCH_MS),
        (f"Redis serves nobody else for < {BLOCKED_MS:.0f} ms", blocked, BLOCKED_MS),
    ]
    for target, value, most in found:
        console.print(f"{target}: {value:.1f} ms — {'met' if value < most else 'MISSED'}")
    return 0 if all(value < most for _, value, most in found) else 1


def seed(url: str, events: int, companies: int, *, first: int = 0, under_way: bool = False) -> float:
    """Fill the log, or the open events. Return the bytes of Redis that an event takes."""
    with Redis.from_url(url, decode_responses=True) as redis:
        script = redis.register_script(
            (LUA / "common.lua").read_text() + Path(__file__).with_suffix(".lua").read_text()
        )
        before = int(redis.info("memory")["used_memory"])
        keep = 90 * 24 * 3600 * 1000
        base = int(time.time() * 1000) - events
        for at in track(range(0, events, BATCH), "Filing", transient=True):
            count = min(BATCH, events - at)
            script(keys=[PREFIX], args=[base + at, 8, keep, companies, first + at, count, int(under_way)])
        redis.config_set("slowlog-log-slower-than", 1000)  # microseconds
        redis.slowlog_reset()
        return (int(redis.info("memory")["used_memory"]) - before) / max(events, 1)


def longest(url: str) -> float:
    """Milliseconds of the slowest Redis command of all queries."""
    with Redis.from_url(url) as redis:
        return max((entry["duration"] for entry in redis.slowlog_get(1000)), default=0) / 1000


def questions() -> dict[str, tuple[float, Filter]]:
    """The queries, and how many ms each may take."""
    return {
        "events list": (TARGET_MS, Filter()),
        "events list --company C": (TARGET_MS, Filter("company8")),
        "events list --company C --status done": (TARGET_MS, Filter("company8", "done")),
        "events list --status failed": (TARGET_MS, Filter(status="failed")),
        "events list --status superseded": (TARGET_MS, Filter(status="superseded")),
        "events list --company C --key K": (TARGET_MS, Filter("company8", keys=("company8/invoice/500",))),
        "events list --status retrying": (SEARCH_MS, Filter(status="retrying")),
        "events list --status held": (SEARCH_MS, Filter(status="held")),
        "events list --code X": (SEARCH_MS, Filter(code="2000433")),
        "events list --company C --code X": (TARGET_MS, Filter("company8", code="2000433")),
    }


def asked(url: str, question: Filter) -> tuple[float, int]:
    """Milliseconds, with the connection, and rows of one query."""
    began = time.perf_counter()
    with Redis.from_url(url, decode_responses=True) as redis:
        rows = len(list(islice(find(Ordering(redis), question, 101), 101)))
    return 1000 * (time.perf_counter() - began), rows


def command(url: str) -> float:
    environment = {"REDIS_URL": url, "FORTNOX_API_URL": "http://127.0.0.1:1"}
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "cli", "events", "list"],
            env=child_environment(environment),
            capture_output=True,
            check=True,
        )
        times.append(1000 * (time.perf_counter() - began))
        assert done.stdout
    return sorted(times)[ROUNDS // 2]


if __name__ == "__main__":
    sys.exit(main())
