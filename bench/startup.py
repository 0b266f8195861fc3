"""`python -m bench.startup`: the start-up time of frequent commands, compared with the imports they need.

Exit status 1 when the median of a command is more than `MOST` times that of the imports alone. Needs a Redis: one is
started on this machine.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from config.environment import child_environment
from local import EmbeddedRedis

MOST: Final = 2.5
RUNS: Final = 7
BASE: Final = ["-c", "import redis, pydantic, typer, rich"]
EVENT: Final = (
    '{"id":"e1","company":"acme","type":"customer.updated","occurredAt":"2026-11-22T09:00:00Z","customer":{"id":1,'
    '"customerNumber":"1","name":"Ek AB","organizationNumber":null,"email":null,"address":{"address1":null,'
    '"address2":null,"zipCode":null,"city":null,"countryCode":"SE"}}}'
)
COMMANDS: Final = ("--help", "status", "publish -", "events list", "health redis", "health")


def main() -> int:
    with tempfile.TemporaryDirectory() as directory, EmbeddedRedis(Path(directory)) as redis:
        environment = child_environment({"REDIS_URL": redis.url, "FORTNOX_API_URL": "http://127.0.0.1:1"})
        cases = {"imports alone": BASE} | {name: ["-m", "cli", *name.split()] for name in COMMANDS}
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(RUNS):  # alternately, so that other load affects them all
            for name, arguments in cases.items():
                seconds[name].append(_run(arguments, environment))
    base = median(seconds["imports alone"])
    table = Table("command", "median", "ratio", box=None)
    for name, runs in seconds.items():
        table.add_row(name, f"{median(runs) * 1000:.0f} ms", f"{median(runs) / base:.2f}")
    Console().print(table)
    return int(any(median(runs) > MOST * base for runs in seconds.values()))


def _run(arguments: list[str], environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        input=EVENT.encode(),
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
