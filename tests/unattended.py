"""The company `acme` and the system without a worker: a test runs the transfers itself, one by one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import requests
from celery.exceptions import Retry as ShownAsRetry

from config import load_settings
from config.environment import child_environment
from delivery.runner import Deliver
from delivery.services import Services
from fortnox.limiter import Limiter
from ordering import EventRecord
from tasks.base import TransferFailed, TransferTask
from tasks.flows import flow_of
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox
from tests.unit.factories import integration_json
from worker.bootstrap import App, create_app
from worker.publish import publish


@dataclass(frozen=True)
class Unattended:
    app: App
    sandbox: Sandbox

    @property
    def services(self) -> Services:
        return self.app.services

    def connect(self, event_id: str = "e4", ledger: str = "acme", **choices: Any) -> str:
        """Connect to that ledger with a new code. Return the code."""
        code = self.sandbox.code(ledger, service=choices.get("service_account", True))
        given = {"authorization_code": code, "expenses": {"enabled": False}} | choices
        self.publish(integration_json(event_id=event_id, **given))
        assert self.run(event_id) == "done"
        return code

    def publish(self, *events: dict[str, Any]) -> None:
        for event in events:
            publish(event, services=self.app.services)

    def run(self, event_id: str, transfer: Deliver | None = None, capacity: int | None = None) -> Any:
        """Run the event's transfer now, even if its next attempt is due later. Return what it returned
        or raised for Celery.

        `capacity`: how many requests the rate limit still allows; by default all.
        """
        self.services.redis.delete("-", *self.services.redis.scan_iter("fortnox:rate*"))
        limit = self.app.settings.fortnox_rate_limit
        for _ in range(0 if capacity is None else limit[0] - capacity):
            Limiter(cast(Any, self.services.redis), limit).acquire("acme")
        self.services.ordering.resume("acme")
        self.services.ordering.retry("acme", event_id)
        flow = flow_of(self.event(event_id).type)
        assert flow is not None
        task = cast(TransferTask, self.app.tasks[flow.task.name])
        try:
            return task.deliver("acme", event_id, transfer) if transfer else task.run("acme", event_id)
        except (ShownAsRetry, TransferFailed) as shown:
            return shown

    def command(self, *arguments: str) -> None:
        """`moment-fortnox` with these arguments, as a process of its own."""
        settings = self.app.settings
        environment = {
            "REDIS_URL": settings.redis_url.get_secret_value(),
            "FORTNOX_API_URL": settings.fortnox_api_url,
            "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
        }
        command = [sys.executable, "-m", "cli", *arguments]
        subprocess.run(command, env=child_environment(environment), check=True, capture_output=True, timeout=60)

    def by_hand(self, path: str, document: dict[str, Any], ledger: str = "acme", method: str = "POST") -> None:
        """Enter a document in that ledger, as an accountant would; with PUT, change it."""
        token = self.services.fortnox.oauth.exchange_code(self.sandbox.code(ledger)).access_token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.request(
            method, f"{self.sandbox.fortnox}/3/{path}", json=document, headers=headers, timeout=30
        )
        assert answer.ok, answer.text

    def event(self, event_id: str) -> EventRecord:
        record = self.services.ordering.event("acme", event_id)
        assert record is not None
        return record

    def reported(self) -> list[str]:
        """The event ids that a mail is still due for; "" for the company itself."""
        return [one.id for one in self.services.ordering.unreported()]


@contextmanager
def unattended_services(redis_url: str, sandbox: Sandbox, **more: Any) -> Iterator[Unattended]:
    """The services, with the ledgers `acme` and `other`, not connected yet. `more`: other settings."""
    settings = load_settings(
        None,
        redis_url=redis_url,
        fortnox_api_url=sandbox.fortnox,
        fortnox_auth_url=sandbox.fortnox,
        fortnox_client_id=CLIENT_ID,
        fortnox_client_secret=CLIENT_SECRET,
        moment_api_url=f"{sandbox.moment}/api/1.0",
        moment_api_key="sandbox-key",
        **more,
    )
    app = create_app(settings)
    app.loader.import_default_modules()
    sandbox.post("options", {"rate_limit_enabled": False})
    for name in ("acme", "other"):
        sandbox.tenant(name)
    yield Unattended(app, sandbox)
    app.services.telemetry.write_buffer.flush()  # or its timer writes when Redis has stopped
    app.close()
