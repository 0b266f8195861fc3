"""`python -m bench.console`: how long each page of the console takes with a million logged events of 10,000 companies,
and how large it is. Exit status 1 when a page takes too long or is too large.

The pages are those of the console's own process. A page is asked for as a browser does, on a connection that is open.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import requests
from rich.console import Console
from rich.progress import track

from bench.log import seed
from config import load_settings
from delivery.services import Services, build_services
from local import EmbeddedRedis, Processes
from local.redis import free_port
from local.waiting import wait_until
from moment.events import Integration
from operations.board import read_board
from operations.failures import FailedEvents
from ordering.listed import ListedTimes
from stores import Connection, Session

TARGET_MS: Final = 100.0
TARGET_BYTES: Final = 100_000  # with the style sheet, the script and the icon
ROUNDS: Final = 100


def main() -> int:
    parser = ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=20_000)
    parser.add_argument("--companies", type=int, default=10_000)
    wanted = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="bench-console-") as directory,
        EmbeddedRedis(Path(directory) / "redis", appendonly=False, appendfsync="no") as server,
        Processes(Path(directory) / "logs") as processes,
    ):
        seed(server.url, wanted.events, wanted.companies)
        seed(server.url, wanted.open, wanted.companies, first=wanted.events, under_way=True)
        environment = {"REDIS_URL": server.url, "FORTNOX_API_URL": "http://127.0.0.1:1"}
        services = build_services(load_settings(None, **{name.lower(): value for name, value in environment.items()}))
        connect(services)
        began = time.perf_counter()
        times = ListedTimes(services.ordering, services.settings.retention_days)
        board = read_board(services, FailedEvents(services), times)
        console.print(
            f"{wanted.events:,} settled and {wanted.open:,} open events of {len(board.companies):,} companies, "
            f"{board.events['failed']:,} failed; the board is read in {time.perf_counter() - began:.1f} s"
        )
        port = free_port()
        command = [sys.executable, "-m", "cli", "console", "--port", str(port)]
        processes.start("console", command, env=environment)
        worst, largest = measure(console, services, f"http://127.0.0.1:{port}", board.failures[0].cause, wanted.events)
    for target, value, most in (("ms of each page", worst, TARGET_MS), ("bytes of each page", largest, TARGET_BYTES)):
        console.print(f"{target} < {most:,.0f}: {value:,.0f} — {'met' if value < most else 'MISSED'}")
    return 0 if worst < TARGET_MS and largest < TARGET_BYTES else 1


def connect(services: Services) -> None:
    """Give each company a connection."""
    for company in track(services.ordering.companies(), "Connecting", transient=True):
        services.stores.connections.save(
            Connection(
                company=company,
                state="connected",
                tenant_id=1,
                integration=Integration(error_email=f"ekonomi@{company}.example"),
                connected_at=datetime.now(UTC),
                ledger=f"{company.capitalize()} AB (556000-0001)",
            )
        )


def measure(console: Console, services: Services, address: str, cause: str, events: int) -> tuple[float, int]:
    """The median ms of the slowest page, and the bytes of the largest with what it loads."""
    with requests.Session() as browser:
        browser.cookies.set("console", services.stores.sessions.begin(Session("operator", "bench", "")))
        wait_until(lambda: answers(f"{address}/healthz"), what="the console to answer", timeout=120)
        browser.get(address, timeout=120)  # the board is read for the first time
        failed = next(services.ordering.failed("company7"))
        common = sum(
            len(browser.get(f"{address}/static/{name}", timeout=30).content)
            for name in ("console.css", "console.js", "icon.svg")
        )
        worst, largest = 0.0, 0
        middle = f"{round(1000 * time.time()) - events // 2}//"
        for path in pages(cause, failed.id, middle):
            times = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                answer = browser.get(address + path, timeout=120)
                times.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, (path, answer.status_code)
            times.sort()
            median, size = times[ROUNDS // 2], len(answer.content) + common
            worst, largest = max(worst, median), max(largest, size)
            console.print(
                f"{path[:70]:<70} {median:7.1f} ms, p99 {times[-2]:6.1f}, at most {times[-1]:6.1f}; {size:>7,} bytes"
            )
    return worst, largest


def pages(cause: str, failed: str, middle: str) -> list[str]:
    """`middle`: a place in the middle of the log, as `after` has it."""
    return [
        *("/", "/?sort=oldest&number=7", "/?q=company99&state=failed"),
        *("/companies/company7", "/companies/company7/connect", "/companies/company7/settings"),
        *("/transfers", "/transfers?status=failed", "/transfers?status=held", "/transfers?status=done"),
        *(f"/transfers?status={status}&after={middle}" for status in ("", "done", "failed", "retrying")),
        *("/transfers?company=company7", "/transfers?company=company7&number=50", "/transfers?cause=2000433"),
        *(f"/events/company7/{failed}", "/failures", f"/failures?cause={cause}", "/failures?company=company7"),
        *("/expenses/company7", "/audit", "/situations", "/situations/period-locked"),
    ]


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    sys.exit(main())
