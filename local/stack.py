"""The whole system on this machine: Redis, the local Fortnox, Moment and SMTP, a worker, beat; Flower and the console
if wanted.
"""

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import requests
from cryptography.fernet import Fernet

from config import Settings, load_settings
from local.processes import ManagedProcess, Processes
from local.redis import EmbeddedRedis, free_port
from local.sandbox import CLIENT_ID, CLIENT_SECRET, MOMENT_KEY, Addresses, Sandbox
from local.waiting import wait_until

PYTHON = sys.executable
LOG_LEVEL = "info"
FLOWER_COLUMNS = "--tasks_columns=name,args,state,received,runtime,worker"


class Stack:
    """Starts everything in order, by default on free ports, and stops it in reverse."""

    def __init__(
        self,
        directory: Path,
        *,
        ports: tuple[int, int, int] = (0, 0, 0),
        redis_port: int | None = None,
        console_port: int | None = None,
        options: Mapping[str, str] | None = None,
        keep: bool = False,
        appendfsync: Literal["always", "no"] = "always",
        feed: bool = False,
    ) -> None:
        """`console_port`: where `start_console` will serve; None without a console. `options`: settings by their names
        in the environment; they override the stack's own. With `keep`, a later stack in this directory continues with
        the data of this one. `appendfsync="no"`: Redis does not wait for the disk, which only a crash of the machine
        would show. With `feed`, the stand-in's feed is listened to.
        """
        self.redis_directory = directory / "redis"
        self._redis = EmbeddedRedis(self.redis_directory, port=redis_port, appendfsync=appendfsync)
        self._processes = Processes(directory / "logs")
        self._ports = ports
        self._options = options or {}
        self._console_port = console_port
        self._feed = feed
        self.logs = directory / "logs"
        self._state = directory / "sandbox.state" if keep else None
        self.sandbox: Sandbox
        self.settings: Settings
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.stop(timeout=10 if self._state else 0.2)
        self._redis.stop()

    def start_services(self) -> None:
        """Start Redis and the stand-ins; afterwards `settings` and `environment` point to them."""
        self._redis.start()
        self.sandbox = Sandbox(start_sandbox(self._processes, *self._ports, state=self._state))
        addresses = self.sandbox.addresses
        self.environment = {
            "REDIS_URL": self._redis.url,
            "FORTNOX_API_URL": addresses.fortnox,
            "FORTNOX_AUTH_URL": addresses.fortnox,
            "FORTNOX_CLIENT_ID": CLIENT_ID,
            "FORTNOX_CLIENT_SECRET": CLIENT_SECRET,
            "MOMENT_API_URL": f"{addresses.moment}/api/1.0",
            "MOMENT_API_KEY": MOMENT_KEY,
            "SMTP_URL": addresses.smtp,
            "ALERTS_FROM": "moment-fortnox@integration.example",
            "ALERTS_TO": "drift@integration.example",
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            **self._of_console(addresses),
            **({"FORTNOX_FEED_URL": addresses.feed} if self._feed else {}),
            **self._options,
        }
        self.settings = load_settings(None, **{name.lower(): value for name, value in self.environment.items()})

    def start_worker(self, name: str = "worker", *, concurrency: int = 4, queues: str = "") -> ManagedProcess:
        """Start a worker process with its pool, for these queues or all, and wait until it is ready."""
        options = [
            "--concurrency",
            str(concurrency),
            "--loglevel",
            LOG_LEVEL,
            "--hostname",
            f"{name}@%h",
            "--without-mingle",
            *(["--queues", queues] if queues else []),
        ]
        process = self._celery(name, "worker", *options)
        return process.wait_ready(lambda: " ready." in process.log_tail(), timeout=120)

    def start_beat(self, name: str = "beat") -> ManagedProcess:
        """Start beat. Of several, one is live."""
        return self._celery(name, "beat", "--loglevel", LOG_LEVEL)

    def start_flower(self, port: int | None = None, login: str = "") -> tuple[str, str]:
        """Start Flower. Return its address and `user:password`, a random password where none is given."""
        port = port or free_port()
        login = login or f"operator:{secrets.token_urlsafe(9)}"
        self._processes.start(
            "flower",
            [
                PYTHON,
                "-m",
                "celery",
                "-A",
                "worker.app",
                "flower",
                f"--port={port}",
                "--address=127.0.0.1",
                FLOWER_COLUMNS,
            ],
            env=self.environment | {"FLOWER_BASIC_AUTH": login},
        )
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(address), what="Flower to answer", timeout=120)
        return address, login

    def start_console(self) -> tuple[str, str, str]:
        """Start the console. Return its address, and the name and a random password of an operator's account."""
        from operations.accounts import new_account  # brings argon2

        name, password = "operator", secrets.token_urlsafe(12)
        command = [PYTHON, "-m", "cli", "console", "--port", str(self._console_port)]
        accounts = {"CONSOLE_ACCOUNTS": new_account(name, "operator", password)}
        self._processes.start("console", command, env=accounts | self.environment)
        address = self.environment["CONSOLE_URL"]
        wait_until(lambda: _answers(f"{address}/healthz"), what="the console to answer", timeout=120)
        return address, name, password

    def check(self) -> None:
        """Raises `ProcessDied` when something that should be running is not."""
        self._redis.process.check()
        self._processes.check()

    def _of_console(self, addresses: Addresses) -> dict[str, str]:
        """The settings with which mails and Fortnox lead to the console, and the console to the local ledger's page."""
        if self._console_port is None:
            return {}
        console = f"http://127.0.0.1:{self._console_port}"
        return {
            "CONSOLE_URL": console,
            "FORTNOX_REDIRECT_URI": f"{console}/connect/callback",
            "FORTNOX_DOCUMENT_URL": f"{addresses.page}#{{company}}-{{kind}}-{{number}}",
        }

    def _celery(self, name: str, *arguments: str) -> ManagedProcess:
        command = [PYTHON, "-m", "celery", "-A", "worker.app", *arguments]
        return self._processes.start(name, command, env=self.environment)


def start_sandbox(
    processes: Processes, fortnox: int = 0, moment: int = 0, smtp: int = 0, *, state: Path | None = None
) -> Addresses:
    """Start the stand-ins on these ports (0: a free one) and wait until they answer. `state`: where they keep data."""
    options = ["--fortnox-port", str(fortnox), "--moment-port", str(moment), "--smtp-port", str(smtp)]
    process = processes.start(
        "sandbox", [PYTHON, "-m", "sandbox", *options, *(["--state", str(state)] if state else [])]
    )
    ready = process.wait_json(lambda line: "fortnox" in line)
    return Addresses(*(str(ready[name]) for name in ("fortnox", "moment", "smtp", "page")))


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=1).status_code in {200, 401}
    except requests.RequestException:
        return False
