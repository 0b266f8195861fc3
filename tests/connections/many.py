"""Ten thousand companies connected: how long does a worker take to start, and how much memory?"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from local.stack import Stack
from moment.events import Integration
from stores import Connection, Tokens
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from worker.bootstrap import create_app

WORKED = 40  # events that the worker delivers before its memory is read


@dataclass(frozen=True)
class Many:
    """What it took."""

    companies: int
    start_seconds: float
    start_cpu_seconds: float  # of the main process: what the start takes on a machine that has nothing else to do
    main_mb: float
    child_mb: float  # the largest
    redis_mb: float

    @property
    def good(self) -> bool:
        return self.start_seconds < 3 and max(self.main_mb, self.child_mb) < 150

    def __str__(self) -> str:
        return (
            f"{self.companies} companies connected: a worker starts in {self.start_seconds:.1f} s "
            f"({self.start_cpu_seconds:.1f} s of processor time); resident memory "
            f"{self.main_mb:.0f} MB in its main process, {self.child_mb:.0f} MB in a pool process; Redis holds "
            f"{self.redis_mb:.0f} MB"
        )


def connected(directory: Path, *, companies: int) -> Many:
    """Fills the store, starts a worker, lets it deliver, and reads its memory from /proc."""
    with Stack(directory) as stack:
        stack.start_services()
        system = System(stack, create_app(stack.settings))
        services = system.app.services
        services.redis.config_set("appendfsync", "no")  # filling ten thousand is not what is measured
        tokens = Tokens(
            access_token=SecretStr("a" * 900), refresh_token=SecretStr("r" * 64), lifetime=timedelta(hours=1)
        )
        for n in range(companies):
            connection = Connection(
                company=f"company-{n:05}",
                state="connected",
                tenant_id=n,
                integration=Integration(error_email=f"ekonomi@company-{n:05}.example"),
                connected_at=datetime.now(UTC),
            )
            services.stores.connections.begin(connection, tokens)
            services.redis.sadd("mf:companies", connection.company)
        started = time.monotonic()
        worker = stack.start_worker(concurrency=2)
        start_seconds = time.monotonic() - started
        start_cpu_seconds = _cpu_seconds(worker.pid)
        system.connect("busy")
        system.publish(
            *(customer_json(company="busy", event_id=f"c{n}", customer_number=str(n)) for n in range(WORKED))
        )
        for n in range(WORKED):
            assert system.settled("busy", f"c{n}").status == "done"
        children = [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]
        return Many(
            companies=companies,
            start_seconds=start_seconds,
            start_cpu_seconds=start_cpu_seconds,
            main_mb=_resident_mb(worker.pid),
            child_mb=max(_resident_mb(pid) for pid in children),
            redis_mb=int(services.redis.info("memory")["used_memory"]) / 2**20,  # type: ignore[index]
        )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
