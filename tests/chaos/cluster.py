"""The system under test, as processes: a durable Redis, the recorded sandbox, beat and the workers."""

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from config import Settings, load_settings
from local import EmbeddedRedis, ManagedProcess, Processes, wait_until
from local.sandbox import CLIENT_ID, CLIENT_SECRET, MOMENT_KEY, Addresses, Sandbox
from tests.chaos.options import Options
from tests.replicated_redis import ReplicatedRedis

ROOT = Path(__file__).parents[2]
OF_NODES = {"min-replicas-to-write": "1", "min-replicas-max-lag": "3"}  # as in docker-compose.ha.yml


class Worker:
    """A place where a worker runs: killed and started again, stopped and continued, each by one thread at a time."""

    def __init__(self, name: str, command: list[str], logs: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.is_stopped = False
        self.own_ends: list[str] = []  # the ends of the logs of those that ended by themselves
        self._command = command
        self._logs = logs
        self._environment = environment
        self._lives = 0
        self._lock = threading.Lock()
        self._process: ManagedProcess | None = None

    @property
    def is_ready(self) -> bool:
        process = self._process
        return process is not None and process.is_running and " ready." in process.log_tail(2000)

    def start(self) -> None:
        with self._lock:
            self._start()

    def kill(self) -> None:
        """SIGKILL to the worker and its pool, as when a machine loses its power; another one starts at once."""
        with self._lock:
            self._note_own_end()
            if self._process is not None:
                self._process.kill()
            self._start()

    def stop(self) -> None:
        """SIGSTOP: it does nothing, and does not know it."""
        self.is_stopped = True  # first: nobody else picks it any more
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)
        self.is_stopped = False

    def revive(self) -> None:
        """What ended by itself is started again, as a supervisor would."""
        with self._lock:
            if self._note_own_end():
                self._start()

    def end(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _start(self) -> None:
        self._lives += 1
        log = self._logs / f"{self.name}.{self._lives:03}.log"
        self._process = ManagedProcess(self.name, self._command, log=log, env=self._environment, cwd=ROOT).start()

    def _note_own_end(self) -> bool:
        process = self._process
        if process is None or process.is_running:
            return False
        tail = "\n".join(line[:300] for line in process.log_tail(5).splitlines())
        self.own_ends.append(f"{process.log.name}, status {process.status}:\n{tail}")
        return True

    def _signal(self, number: signal.Signals) -> None:
        with self._lock, suppress(ProcessLookupError):
            if self._process is not None and self._process.is_running:
                os.killpg(self._process.pid, number)


class Cluster:
    """Everything, each on a free port of this machine. Leaving the context ends it all."""

    def __init__(self, directory: Path, options: Options) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.record = directory / "writes.jsonl"
        self.redis = EmbeddedRedis(directory / "redis")
        self.replicated: ReplicatedRedis | None = None  # `redis` is then the first master
        self.workers: list[Worker] = []
        self.sandbox: Sandbox
        self.settings: Settings
        self.environment: dict[str, str] = {}
        self._options = options
        self._processes = Processes(self.logs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.end()
        self._processes.stop(timeout=5)
        if self.replicated is not None:
            self.replicated.__exit__(None, None, None)
        self.redis.kill()

    def start(self) -> None:
        """Everything runs and the workers are ready afterwards."""
        self.redis.start()
        self.sandbox = Sandbox(self._start_sandbox())
        addresses = self.sandbox.addresses
        self.environment = {
            "REDIS_URL": self.redis.url,
            "FORTNOX_API_URL": addresses.fortnox,
            "FORTNOX_AUTH_URL": addresses.fortnox,
            "FORTNOX_CLIENT_ID": CLIENT_ID,
            "FORTNOX_CLIENT_SECRET": CLIENT_SECRET,
            "MOMENT_API_URL": f"{addresses.moment}/api/1.0",
            "MOMENT_API_KEY": MOMENT_KEY,
            "SMTP_URL": addresses.smtp,
            "ALERTS_TO": "drift@integration.example",
            "LEASE_SECONDS": f"{self._options.lease:g}",
            "LOG_FORMAT": "json",
            # Workers start every two seconds: their modules are compiled once, not each time.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.directory / "pycache"),
        }
        if self._options.failovers:
            self.replicated = ReplicatedRedis(self.directory, self.redis, proxied=True, options=OF_NODES).__enter__()
            self.environment |= {"REDIS_SENTINELS": self.replicated.setting, "REDIS_REPLICAS_ACK": "1"}
            self.environment["REDIS_URL"] = "redis://nobody.invalid:1/0"  # its host is not used
        self.settings = load_settings(None, **{name.lower(): value for name, value in self.environment.items()})
        self._processes.start("beat", _celery("beat"), env=self.environment, cwd=ROOT)
        for number in range(1, self._options.workers + 1):
            self._start_worker(f"worker-{number}")
        wait_until(lambda: all(worker.is_ready for worker in self.workers), what="the workers to be ready", timeout=180)

    def check(self) -> None:
        """Raises `ProcessDied` when the sandbox or beat has ended."""
        self._processes.check()

    def _start_worker(self, name: str) -> None:
        options = ["--concurrency", str(self._options.concurrency), "--hostname", f"{name}@%h"]
        command = [*_celery("worker"), *options, "--without-gossip", "--without-mingle"]
        worker = Worker(name, command, self.logs, self.environment)
        self.workers.append(worker)
        worker.start()

    def _start_sandbox(self) -> Addresses:
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.record.touch()
        command = [sys.executable, "-m", "tests.chaos.recorder", str(self.record)]
        ready = self._processes.start("sandbox", command, cwd=ROOT).wait_json(lambda line: "fortnox" in line)
        return Addresses(*(str(ready[name]) for name in ("fortnox", "moment", "smtp", "page")))


def _celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "worker.app", *arguments, "--loglevel", "info"]
