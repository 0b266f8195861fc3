"""Helpers for tests of invoices: each test's company, its invoice, and the checks afterwards."""

from typing import Any

import requests

from ordering import EventRecord
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, invoice_json, project_json


def an_invoice_of(system: System, company: str, **invoice: Any) -> EventRecord:
    """Connect the company and publish a customer, a project and an invoice. Return the settled invoice."""
    tenant = invoice.pop("tenant", {})
    system.connect(company, **tenant)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(**{"company": company, "attachments": []} | invoice),
    )
    return system.settled(company, "e3")


def the_invoice(system: System, company: str) -> dict[str, Any]:
    (found,) = system.ledger(company)["invoices"]
    return dict(found)


def retried(system: System, company: str) -> EventRecord:
    assert system.run("events", "retry", company, "e3").returncode == 0
    return system.settled_at_once(company, "e3")


def requests_to(system: System, company: str) -> list[str]:
    return [one for one in system.stack.sandbox.requests(company) if " /oauth" not in one]


def change(system: System, company: str, method: str, path: str, body: Any = None) -> None:
    """Change a document as a person would in Fortnox."""
    token = system.app.services.fortnox.tokens.access_token(company)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    requests.request(
        method, system.stack.sandbox.fortnox + path, json=body, headers=headers, timeout=30
    ).raise_for_status()
