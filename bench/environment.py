"""The environment of one run: a fresh Redis, workers of one system, and the record that their handlers write."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from redis import Redis

from bench.plan import Planned
from bench.record import Reader, Writer
from bench.settings import SystemName
from bench.systems import Publish, system
from config import Settings, load_settings
from local import EmbeddedRedis, ManagedProcess, Processes, wait_until

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".local" / "bench"  # on the disk of the checkout: an fsync to a memory file system would cost nothing
LOOK = 0.02  # s between two looks at the record


@dataclass(frozen=True)
class Variant:
    """A system with its settings. `companies`: how many the events are spread over; `cap`: COMPANY_RELEASE_LIMIT.

    `lease`: LEASE_SECONDS.
    """

    name: str
    system: SystemName
    fsync: Literal["everysec", "always"] = "everysec"
    companies: int = 50
    cap: int = 8
    lease: int = 30


class Environment:
    """Started by `with`. Leaves no process or file behind."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.published: dict[str, float] = {}
        DATA.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix=f"{variant.system}-", dir=DATA))
        self._redis = EmbeddedRedis(self._directory / "redis", appendfsync=variant.fsync)
        self._processes = Processes(self._directory / "logs")
        self._workers: list[ManagedProcess] = []
        self._killed = Writer(self._directory / "record")
        self.record = Reader(self._directory / "record")

    def __enter__(self) -> Self:
        self._redis.start()
        self.redis = Redis.from_url(self._redis.url, decode_responses=True)
        self.settings: Settings = load_settings(None, **{name.lower(): value for name, value in self._services.items()})
        self._publish: Publish | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()
        self._redis.kill()
        self.record.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start_worker(self, concurrency: int, name: str = "worker") -> ManagedProcess:
        """Start a worker and wait until it takes messages."""
        command = [
            *(sys.executable, "-m", "celery", "-A", "bench.worker", "worker", "--loglevel=info"),
            *(f"--hostname={name}@bench", "--queues=events,transfers", f"--concurrency={concurrency}"),
            *("--without-gossip", "--without-mingle"),
        ]
        environment = self._services | {
            "BENCH_SYSTEM": self.variant.system,
            "BENCH_RECORD": str(self._directory / "record"),
            "PYTHONPATH": str(ROOT),
        }
        worker = self._processes.start(name, command, env=environment, cwd=self._directory)
        self._workers.append(worker)
        return self.wait_ready(worker)

    @staticmethod
    def wait_ready(worker: ManagedProcess) -> ManagedProcess:
        return worker.wait_ready(lambda: " ready." in worker.log_tail(200), timeout=60)

    def memory(self) -> int:
        """Bytes that Redis uses."""
        found: Any = self.redis.info("memory")
        return int(found["used_memory"])

    def kill(self, worker: ManagedProcess) -> None:
        """SIGKILL to the worker and its pool."""
        group = worker.pid
        worker.kill()
        self._killed.write("killed", group=group)

    def publish(self, events: Iterable[Planned]) -> float:
        """Publish each event at its time. Return the seconds that took."""
        publish = self._publisher()
        began = time.monotonic()
        for event in events:
            if (wait := began + event.at - time.monotonic()) > 0:
                time.sleep(wait)
            self.published[event.id] = time.monotonic()
            publish(event.event)
        return time.monotonic() - began

    def wait(self, ids: Iterable[str], timeout: float, check: Callable[[], object] = lambda: None) -> bool:
        """Wait until all of these are done. Return False if they are not after `timeout` seconds."""
        wanted = set(ids)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.record.look()
            if wanted <= self.record.done:
                return True
            check()
            time.sleep(LOOK)
        return False

    def wait_done(self, more: int, timeout: float) -> None:
        """Wait until so many more are done. Raises `DeadlineExceeded`."""
        wanted = len(self.record.done) + more

        def enough() -> bool:
            self.record.look()
            return len(self.record.done) >= wanted

        wait_until(enough, what=f"{more} more events", timeout=timeout)

    def check(self) -> None:
        """Raises `ProcessDied` when a worker ended that should run."""
        self._processes.check()

    def _publisher(self) -> Publish:
        if self._publish is None:
            chosen = system(self.variant.system)
            self._publish = chosen.publisher(chosen.create_app(self.settings))
        return self._publish

    @property
    def _services(self) -> dict[str, str]:
        """The settings of production, for a Redis and a Fortnox of this machine (nobody calls the latter)."""
        return {
            "REDIS_URL": self._redis.url,
            "FORTNOX_API_URL": "http://127.0.0.1:9",
            "FORTNOX_AUTH_URL": "http://127.0.0.1:9",
            "COMPANY_RELEASE_LIMIT": str(self.variant.cap),
            "LEASE_SECONDS": str(self.variant.lease),
            "LOG_FORMAT": "json",
        }
