"""`python -m bench.log`: how long `events list` takes over a full transfer log. Exit status 1 when that is too long.

The log is filed by the engine's own Lua, a thousand events a call; each question is asked as the command asks it, on a
new connection, and once as the command itself, whose time is mostly Python's start.
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
from worker.local import EmbeddedRedis
from worker.ordering import Ordering
from worker.ordering.engine import LUA
from worker.ordering.history import Filter, find

BATCH: Final = 1000
TARGET_MS: Final = 200.0
ROUNDS: Final = 5


def main() -> int:
    parser = ArgumentParser(prog="python -m bench.log", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--companies", type=int, default=1_000)
    wanted = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="bench-log-") as directory,
        EmbeddedRedis(Path(directory), appendonly=False, appendfsync="no") as server,
    ):
        bytes_each = seed(server.url, wanted.events, wanted.companies)
        console.print(
            f"{wanted.events:,} settled events of {wanted.companies:,} companies, {bytes_each:.0f} bytes each"
        )
        slowest = 0.0
        for name, question in questions().items():
            times, rows = zip(*(asked(server.url, question) for _ in range(ROUNDS)), strict=True)
            slowest = max(slowest, *times)
            console.print(
                f"{name:<46} {rows[0]:>4} rows  {sorted(times)[ROUNDS // 2]:7.1f} ms, at most {max(times):.1f}"
            )
        console.print(f"{'the command itself, with Python’s start':<46}            {command(server.url):7.1f} ms")
    met = slowest < TARGET_MS
    console.print(f"every question < {TARGET_MS:.0f} ms: {slowest:.1f} ms — {'met' if met else 'MISSED'}")
    return 0 if met else 1


def seed(url: str, events: int, companies: int) -> float:
    """Fills the log. Returns the bytes of Redis that an event takes."""
    with Redis.from_url(url, decode_responses=True) as redis:
        script = redis.register_script(
            (LUA / "common.lua").read_text() + Path(__file__).with_suffix(".lua").read_text()
        )
        before = int(redis.info("memory")["used_memory"])
        keep = 90 * 24 * 3600 * 1000
        base = int(time.time() * 1000) - events
        for first in track(range(0, events, BATCH), "Filing", transient=True):
            count = min(BATCH, events - first)
            script(keys=["mf:"], args=[base + first, 8, keep, companies, first, count])
        return (int(redis.info("memory")["used_memory"]) - before) / events


def questions() -> dict[str, Filter]:
    return {
        "events list": Filter(),
        "events list --company C": Filter("company8"),
        "events list --company C --status done": Filter("company8", "done"),
        "events list --status failed": Filter(status="failed"),
        "events list --status superseded": Filter(status="superseded"),
        "events list --status held": Filter(status="held"),
        "events list --company C --key K": Filter("company8", keys=("company8/invoice/500",)),
        "events list --code X": Filter(code="2000433"),
    }


def asked(url: str, question: Filter) -> tuple[float, int]:
    """Milliseconds and rows of one question, its connection included."""
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
            [sys.executable, "-m", "worker.cli", "events", "list"],
            env=child_environment(environment),
            capture_output=True,
            check=True,
        )
        times.append(1000 * (time.perf_counter() - began))
        assert done.stdout
    return sorted(times)[ROUNDS // 2]


if __name__ == "__main__":
    sys.exit(main())
