"""The whole system on this machine: Redis, the local Fortnox, Moment and SMTP, a worker, beat, and Flower if wanted."""

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from cryptography.fernet import Fernet

from config import Settings, load_settings
from worker.local.processes import ManagedProcess, Processes
from worker.local.redis import EmbeddedRedis, free_port
from worker.local.waiting import wait_until

PYTHON = sys.executable
LOG_LEVEL = "info"


@dataclass(frozen=True)
class Addresses:
    """Where the stand-ins are."""

    fortnox: str
    moment: str
    smtp: str
    page: str


class Sandbox:
    """The stand-ins' process and its controls."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._session = requests.Session()

    def tenant(self, company: str, **settings: Any) -> None:
        """A company with a ledger in Fortnox."""
        self._post("tenants", {"tenant": company, **settings})

    def consent(self, company: str, *, service: bool = True) -> str:
        """What a person of the company does in Fortnox: approve. Returns the one-time code."""
        return str(self._post("grants", {"tenant": company, "service": service})["code"])

    def account(self, company: str, number: int, **fields: Any) -> None:
        """Opens or changes an account in the company's chart."""
        self._post("accounts", {"tenant": company, "number": number, **fields})

    def state(self, company: str) -> dict[str, Any]:
        """The whole ledger of the company."""
        found: dict[str, Any] = self._get("state", tenant=company)
        return found

    def mails(self) -> list[dict[str, Any]]:
        found = self._get("mails")
        return list(found["mails"] if isinstance(found, dict) else found)

    def delay(self, seconds: float, count: int = 1000) -> None:
        """Makes Fortnox slow for the next requests."""
        self._post("faults", {"kind": "delay", "seconds": seconds, "count": count})

    def forget_mails(self) -> None:
        self._call("DELETE", "mails")

    def refuse_mail(self, how: str | None) -> None:
        """Makes the SMTP server refuse: 421, 450, 550, or `connection`; None lets mail in again."""
        if how is None:
            self._call("DELETE", "smtp")
        else:
            self._call("POST", "smtp", json={"refuse": how})

    def requests(self, company: str) -> list[dict[str, Any]]:
        """The requests that Fortnox got for the company."""
        found = self._get("requests", tenant=company)
        return list(found["requests"] if isinstance(found, dict) else found)

    def _get(self, control: str, **params: str) -> Any:
        return self._call("GET", control, params=params)

    def _post(self, control: str, body: dict[str, Any]) -> Any:
        return self._call("POST", control, json=body)

    def _call(self, method: str, control: str, **options: Any) -> Any:
        url = f"{self.addresses.fortnox}/_sandbox/{control}"
        response = self._session.request(method, url, timeout=10, **options)
        response.raise_for_status()
        return response.json()


class Stack:
    """Starts everything in order, each on a free port unless told otherwise, and stops it in reverse."""

    def __init__(
        self, directory: Path, *, ports: tuple[int, int, int] = (0, 0, 0), redis_port: int | None = None
    ) -> None:
        self.redis_directory = directory / "redis"
        self._redis = EmbeddedRedis(self.redis_directory, port=redis_port)
        self._processes = Processes(directory / "logs")
        self._ports = ports
        self.logs = directory / "logs"
        self.sandbox: Sandbox
        self.settings: Settings
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.stop(timeout=20)
        self._redis.stop()

    def start_services(self) -> None:
        """Redis and the stand-ins; afterwards `settings` and `environment` point to them."""
        self._redis.start()
        self.sandbox = Sandbox(start_sandbox(self._processes, *self._ports))
        addresses = self.sandbox.addresses
        self.environment = {
            "REDIS_URL": self._redis.url,
            "FORTNOX_API_URL": addresses.fortnox,
            "FORTNOX_AUTH_URL": addresses.fortnox,
            "FORTNOX_CLIENT_ID": "sandbox-client",
            "FORTNOX_CLIENT_SECRET": "sandbox-secret",
            "MOMENT_API_URL": f"{addresses.moment}/api/1.0",
            "MOMENT_API_KEY": "sandbox-key",
            "SMTP_URL": addresses.smtp,
            "ALERTS_FROM": "moment-fortnox@integration.example",
            "ALERTS_TO": "drift@integration.example",
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        self.settings = load_settings(None, **{name.lower(): value for name, value in self.environment.items()})

    def start_worker(self, name: str = "worker", *, concurrency: int = 4) -> ManagedProcess:
        """A real worker process with its pool. Ready when it has announced itself in its log."""
        options = [
            "--concurrency",
            str(concurrency),
            "--loglevel",
            LOG_LEVEL,
            "--hostname",
            f"{name}@%h",
            "--without-mingle",
        ]
        process = self._celery(name, "worker", *options)
        return process.wait_ready(lambda: " ready." in process.log_tail(), timeout=60)

    def start_beat(self) -> ManagedProcess:
        return self._celery("beat", "beat", "--loglevel", LOG_LEVEL)

    def start_flower(self, port: int | None = None) -> tuple[str, str]:
        """Flower's address and its one-time `user:password`."""
        port = port or free_port()
        login = f"operator:{secrets.token_urlsafe(9)}"
        self._processes.start(
            "flower",
            [PYTHON, "-m", "celery", "-A", "worker.app", "flower", f"--port={port}", "--address=127.0.0.1"],
            env=self.environment | {"FLOWER_BASIC_AUTH": login},
        )
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(address), what="Flower to answer", timeout=30)
        return address, login

    def check(self) -> None:
        """Raises `ProcessDied` when something that should be running is not."""
        self._redis.process.check()
        self._processes.check()

    def _celery(self, name: str, *arguments: str) -> ManagedProcess:
        command = [PYTHON, "-m", "celery", "-A", "worker.app", *arguments]
        return self._processes.start(name, command, env=self.environment)


def start_sandbox(processes: Processes, fortnox: int = 0, moment: int = 0, smtp: int = 0) -> Addresses:
    """Starts the stand-ins on these ports (0: a free one) and waits until they answer."""
    ports = ("--fortnox-port", str(fortnox), "--moment-port", str(moment), "--smtp-port", str(smtp))
    process = processes.start("sandbox", [PYTHON, "-m", "sandbox", *ports])
    ready = process.wait_json(lambda line: "fortnox" in line)
    return Addresses(*(str(ready[name]) for name in ("fortnox", "moment", "smtp", "page")))


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=1).status_code in {200, 401}
    except requests.RequestException:
        return False
