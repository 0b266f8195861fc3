"""`python -m tests.chaos`: everything fails for a while, then every event is looked for.

Exit status 1: a promise was broken.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.chaos.options import HA, Options
from tests.chaos.run import run


def main() -> int:
    options, arguments = _arguments()
    if arguments.directory is not None:
        return _run(options, arguments.directory, as_json=arguments.json)
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        return _run(options, Path(directory), as_json=arguments.json)


def _run(options: Options, directory: Path, *, as_json: bool) -> int:
    report = run(options, directory, say_progress=not as_json)
    sys.stdout.write((report.json() if as_json else report.table()) + "\n")
    return 1 if report.broken else 0


def _arguments() -> tuple[Options, argparse.Namespace]:
    defaults = HA if "--ha" in sys.argv else Options()
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Kills workers and Redis while events are published; then looks for every one of them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    number = parser.add_argument
    number("--seconds", type=float, default=defaults.seconds, help="of publishing and faults")
    number("--seed", type=int, default=defaults.seed)
    number("--events", type=int, default=defaults.events)
    number("--companies", type=int, default=defaults.companies)
    number("--workers", type=int, default=defaults.workers)
    number("--concurrency", type=int, default=defaults.concurrency, help="processes in each worker's pool")
    number("--lease", type=float, default=defaults.lease, help="LEASE_SECONDS")
    number("--kill-every", type=float, default=defaults.kill_every, help="seconds between two kills of a worker")
    number("--redis-every", type=float, default=defaults.redis_every, help="seconds between two kills of Redis")
    number("--failovers", type=int, default=defaults.failovers, help="of a Redis with replicas and Sentinels")
    parser.add_argument("--ha", action="store_true", help="the defaults of a run with fail-overs")
    number("--drain", type=float, default=defaults.drain, help="seconds to wait for what is under way at the end")
    number("--directory", type=Path, default=None, help="keeps logs and data there")
    number("--json", action="store_true", help="one object instead of the table")
    arguments = parser.parse_args()
    chosen = {name: value for name, value in vars(arguments).items() if name not in {"directory", "json", "ha"}}
    return replace(defaults, **chosen), arguments


if __name__ == "__main__":
    raise SystemExit(main())
