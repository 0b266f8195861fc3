"""Supplier invoices come back as expenses, through real processes: a worker, beat and the stand-ins."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import System
from worker.assembly import create_app
from worker.local import wait_until
from worker.local.stack import Stack

ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1", "ItemDescription": "Reglar"}


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, polling every two seconds."""
    with Stack(Path(tmp_path_factory.mktemp("polled")), options={"EXPENSE_POLL_INTERVAL": "2"}) as stack:
        stack.start_services()
        stack.start_beat()
        stack.start_worker()
        yield System(stack, create_app(stack.settings))


def follow(system: System, company: str, **chosen: Any) -> None:
    """A company that has its expenses brought back, with project 1 on both sides."""
    system.connect(company, expenses={"enabled": True, "accountNumbers": ["4010"], **chosen})
    with_project(system, company, "1")


def with_project(system: System, company: str, number: str) -> None:
    system.stack.sandbox.moment_project(company, number)
    system.stack.sandbox.post("projects", {"tenant": company, "number": number, "StartDate": "2026-01-01"})


def expense(system: System, company: str, external_id: str, timeout: float = 30, **fields: Any) -> dict[str, Any]:
    """The expense, once it is in Moment with these fields."""

    def look() -> dict[str, Any] | None:
        found = system.stack.sandbox.expenses(company).get(external_id)
        return found if found and all(found[name] == value for name, value in fields.items()) else None

    found = wait_until(look, what=f"{external_id} of {company} in Moment", timeout=timeout, interval=0.1)
    assert found is not None
    return found


def test_a_posted_supplier_invoice_becomes_an_expense_by_itself(polled: System) -> None:
    follow(polled, "light")
    number = polled.stack.sandbox.supplier_invoice("light", ROW, vat="250.00")

    found = expense(polled, "light", f"fortnox:{number}:3")

    assert Decimal(found["amountExcludingVat"]) == Decimal("1000.00")
    assert {name: found[name] for name in ("projectNumber", "date", "description", "supplierName")} == {
        "projectNumber": "1",
        "date": "2026-11-02",
        "description": "Reglar",
        "supplierName": "Virke AB",
    }
    assert (found["accountNumber"], found["currencyCode"], found["billable"]) == ("4010", "SEK", True)
    assert found["writes"] == {"POST": 1, "PUT": 0}
