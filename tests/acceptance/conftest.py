"""The whole system as processes, once a session: a real Redis, the stand-ins, a real worker and beat."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from fortnox.client import Fortnox
from fortnox.transport import Transport
from local.stack import Stack
from ordering import EventRecord
from tasks.flows import SCOPES
from tests import commands
from tests.unit import factories
from tests.waiting import wait_until
from worker.bootstrap import App, create_app
from worker.publish import publish

SETTLED = ("done", "failed", "superseded", "skipped", "held")


@dataclass
class System:
    """The running system, with the operations that tests need."""

    stack: Stack
    app: App
    connected: set[str] = field(default_factory=set)

    def connect(
        self, company: str, *, expenses: dict[str, Any] | None = None, more_scopes: tuple[str, ...] = (), **tenant: Any
    ) -> None:
        """Connect a company with a new ledger by an event, as Moment does. Expenses are off unless given."""
        assert company not in self.connected, f"another test has the company {company}"
        self.connected.add(company)
        self.stack.sandbox.tenant(company, **tenant)
        code = self.stack.sandbox.code(company, scopes=" ".join((*SCOPES, *more_scopes)))  # what is asked for has to do
        self.publish(
            factories.integration_json(
                event_id=f"{company}-enabled",
                company=company,
                authorization_code=code,
                error_email=f"ekonomi@{company}.example",
                expenses={"enabled": expenses is not None, **(expenses or {})},
            )
        )
        assert self.settled(company, f"{company}-enabled").status == "done"

    def publish(self, *events: dict[str, Any]) -> None:
        """Publish in this process."""
        for event in events:
            publish(event, services=self.app.services)

    def run(
        self, *arguments: str, stdin: str = "", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`moment-fortnox` with these arguments, in this process."""
        return commands.run(*arguments, stdin=stdin, environment=environment or self.stack.environment)

    def settled(self, company: str, event_id: str) -> EventRecord:
        """The event, once it is settled or held."""

        def look() -> EventRecord | None:
            record = self.app.services.ordering.event(company, event_id)
            return record if record is not None and record.status in SETTLED else None

        found = wait_until(look, what=f"{company} {event_id} to settle")
        assert found is not None
        return found

    def settled_at_once(self, company: str, event_id: str) -> EventRecord:
        """The same, without waiting: every retry runs now, and a company's rest ends now."""
        ordering = self.app.services.ordering

        def look() -> EventRecord | None:
            record = ordering.event(company, event_id)
            if record is not None and record.status == "retrying":
                ordering.retry(company, event_id)
            if ordering.resting(company):
                ordering.resume(company)
            return record if record is not None and record.status in SETTLED else None

        found = wait_until(look, what=f"{company} {event_id} to settle", interval=0.1)
        assert found is not None
        return found

    def fortnox(self, company: str) -> Fortnox:
        """A client for the company's ledger, for what a person does in Fortnox."""
        return Fortnox(Transport(self.stack.settings.fortnox_api_url, self.app.services.fortnox.tokens), company)

    def file(self, company: str, **file: Any) -> dict[str, Any]:
        """Put a file into Moment. Return the attachment that names it."""
        moment = self.stack.sandbox.moment
        response = requests.post(f"{moment}/_sandbox/files", json={"company": company, **file}, timeout=30)
        response.raise_for_status()
        return {
            "fileName": file["name"],
            "contentType": file.get("content_type", "application/pdf"),
            "url": moment + quote(response.json()["path"]),
        }

    def ended(self, company: str) -> int:
        """How many of the company's events are settled."""
        counts = self.app.services.ordering.counts(company)
        return sum(counts[status] for status in ("done", "failed", "superseded", "skipped"))

    def ledger(self, company: str) -> dict[str, Any]:
        return self.stack.sandbox.state(company)

    def in_english(self, company: str) -> None:
        """The company's mails are in English from now on."""
        self.app.services.stores.company_settings.change(company, {"language": "en"})

    def mails_to(self, address: str) -> list[dict[str, Any]]:
        return [mail for mail in self.stack.sandbox.mails() if address in mail["to"]]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    options = {"EXPENSE_POLL_INTERVAL": "1"}
    with Stack(Path(tmp_path_factory.mktemp("stack")), options=options, appendfsync="no") as stack:
        stack.start_services()
        stack.start_beat()
        stack.start_worker()
        yield System(stack, create_app(stack.settings))
