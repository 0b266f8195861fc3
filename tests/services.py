"""The real services that tests run against: a Redis server and the stand-ins for Fortnox, Moment and SMTP.

Each is a process of its own on a free port; leaving the context stops exactly that process.

    with running_redis(tmp_path) as url, running_sandbox(tmp_path) as sandbox: …
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from worker.local import EmbeddedRedis, Processes
from worker.local.stack import Addresses, start_sandbox

CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret"


class Sandbox:
    """The running stand-ins and their controls (`sandbox/README.md`)."""

    def __init__(self, addresses: Addresses) -> None:
        self.fortnox = addresses.fortnox
        self.moment = addresses.moment
        self.smtp = addresses.smtp
        self._session = requests.Session()

    def close(self) -> None:
        self._session.close()

    def get(self, control: str, **params: str) -> Any:
        return self._control("GET", control, params=params)

    def post(self, control: str, body: Any = None) -> Any:
        return self._control("POST", control, json={} if body is None else body)

    def delete(self, control: str) -> Any:
        return self._control("DELETE", control)

    def tenant(self, tenant: str, **settings: Any) -> dict[str, Any]:
        """Makes a company's ledger, or changes its settings."""
        return dict(self.post("tenants", {"tenant": tenant, **settings}))

    def code(self, tenant: str, *, service: bool = True, scopes: str = "") -> str:
        """What the consent of a person of the company leaves: the one-time code."""
        given = {"tenant": tenant, "service": service, **({"scopes": scopes} if scopes else {})}
        return str(self.post("grants", given)["code"])

    def fault(self, kind: str, **details: Any) -> None:
        """The next fitting request meets this fault: `fail_next`, `drop_response_after_write`, …"""
        self.post("faults", {"kind": kind, **details})

    def requests(self, tenant: str) -> list[str]:
        """The requests so far for a company, as `POST /3/customers`."""
        entries = self.get("requests", tenant=tenant)["requests"]
        return [f"{entry['method']} {entry['path']}" for entry in entries]

    def state(self, tenant: str) -> dict[str, Any]:
        """What the company's ledger holds."""
        return dict(self.get("state", tenant=tenant))

    def _control(self, method: str, control: str, **options: Any) -> Any:
        response = self._session.request(method, f"{self.fortnox}/_sandbox/{control}", timeout=10, **options)
        assert response.ok, response.text
        return response.json()


@contextmanager
def running_redis(directory: Path, **options: Any) -> Iterator[str]:
    """A Redis server's address. `options` are `EmbeddedRedis`'s."""
    directory.mkdir(parents=True, exist_ok=True)
    with EmbeddedRedis(directory, **options) as server:
        yield server.url


@contextmanager
def running_sandbox(directory: Path) -> Iterator[Sandbox]:
    """The stand-ins, empty."""
    directory.mkdir(parents=True, exist_ok=True)
    processes = Processes(directory)
    try:
        sandbox = Sandbox(start_sandbox(processes))
        try:
            yield sandbox
        finally:
            sandbox.close()
    finally:
        processes.stop(timeout=10)
