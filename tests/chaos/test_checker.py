"""The checker finds what it is there to find."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import Fate, Findings, Write, check, to_writes
from tests.chaos.options import SHORT
from tests.chaos.producers import Attempt
from tests.chaos.workload import Step, told, version_told, workload

COMPANY = "company-01"
DONE = Fate("done")


def customer(version: int, **fields: Any) -> Attempt:
    event = {"id": f"customer-101-v{version}"}
    return Attempt(Step(0, "python", COMPANY, "customer", "101", version, event), **{"sent": True, **fields})


def invoice(number: str = "1001", **fields: Any) -> Attempt:
    step = Step(0, "python", COMPANY, "invoice", number, 1, {"id": f"invoice-{number}"}, customer="101")
    return Attempt(replace(step, **fields), sent=True)


def ledger_customer(version: int, posts: int = 1) -> dict[str, Any]:
    return {"CustomerNumber": "101", "Name": told("Kund", "101", version), "writes": {"POST": posts}}


def ledger_invoice(number: str = "1001", **fields: Any) -> dict[str, Any]:
    whole = {"DocumentNumber": number, "Booked": True, "CustomerNumber": "101", "attachments": []}
    return {**whole, "writes": {"POST": 1, "bookkeep": 1}, **fields}


def written(what: str, number: str, version: int = 0) -> Write:
    return Write(COMPANY, what, number, version)


class Run:
    """Two versions of a customer and an invoice, as they should end."""

    def __init__(self) -> None:
        self.tried = [customer(1), customer(2), invoice()]
        self.fates = {(COMPANY, attempt.step.id): DONE for attempt in self.tried}
        self.writes = [
            written("customer", "101", 1),
            written("customer", "101", 2),
            written("create", "1001"),
            written("post", "1001"),
        ]
        self.ledger: dict[str, list[Any]] = {
            "customers": [ledger_customer(2)],
            "projects": [],
            "invoices": [ledger_invoice()],
            "orphans": [],
        }

    def attempted(self, attempt: Attempt) -> None:
        self.tried.append(attempt)

    def findings(self) -> Findings:
        return check({COMPANY: self.tried}, self.fates, self.writes, {COMPANY: self.ledger})


@pytest.fixture
def run() -> Run:
    return Run()


def broken(findings: Findings) -> list[str]:
    return [name for name in ("lost", "duplicated", "unexpected", "reordered") if getattr(findings, name)]


def test_a_run_in_which_all_went_well_has_no_finding(run: Run) -> None:
    found = run.findings()

    assert broken(found) == []
    assert (found.attempted, found.acknowledged, found.ok) == (3, 3, 3)


def test_an_acknowledged_invoice_that_is_not_in_the_ledger_is_lost(run: Run) -> None:
    run.ledger["invoices"] = []

    assert broken(run.findings()) == ["lost"]


@pytest.mark.parametrize("fields", [{"Booked": False}, {"CustomerNumber": "102"}])
def test_an_invoice_that_is_there_in_part_is_lost(run: Run, fields: dict[str, Any]) -> None:
    run.ledger["invoices"] = [ledger_invoice(**fields)]

    assert broken(run.findings()) == ["lost"]


def test_an_invoice_without_its_file_is_lost(run: Run) -> None:
    run.tried[2] = invoice(files=("faktura.pdf",))

    assert broken(run.findings()) == ["lost"]


def test_an_acknowledged_version_that_was_never_written_is_lost(run: Run) -> None:
    run.attempted(customer(3))

    assert broken(run.findings()) == ["lost"]


def test_an_event_that_the_engine_has_not_brought_to_an_end_is_lost(run: Run) -> None:
    run.fates[COMPANY, "invoice-1001"] = Fate("waiting")

    assert broken(run.findings()) == ["lost"]


def test_what_was_not_acknowledged_may_be_there_or_not(run: Run) -> None:
    run.attempted(customer(3, sent=False))
    assert broken(run.findings()) == []

    run.fates[COMPANY, "customer-101-v3"] = DONE
    run.ledger["customers"] = [ledger_customer(3)]
    run.writes.append(written("customer", "101", 3))
    assert broken(run.findings()) == []
    assert run.findings().recovered == 1


def test_what_the_celery_door_took_counts_once_a_worker_has_admitted_it(run: Run) -> None:
    attempt = customer(3)
    run.attempted(replace(attempt, step=replace(attempt.step, entrance="celery")))
    assert broken(run.findings()) == []
    assert run.findings().not_admitted == 1

    run.fates[COMPANY, "customer-101-v3"] = DONE
    assert broken(run.findings()) == ["lost"]


@pytest.mark.parametrize("writes", [{"POST": 2, "bookkeep": 1}, {"POST": 1, "bookkeep": 2}])
def test_an_invoice_created_or_posted_twice_is_duplicated(run: Run, writes: dict[str, int]) -> None:
    run.ledger["invoices"] = [ledger_invoice(writes=writes)]

    assert broken(run.findings()) == ["duplicated"]


def test_a_file_attached_twice_is_duplicated(run: Run) -> None:
    run.tried[2] = invoice(files=("faktura.pdf",))
    run.ledger["invoices"] = [ledger_invoice(attachments=[{"Name": "faktura.pdf"}] * 2)]

    assert broken(run.findings()) == ["duplicated"]


def test_a_customer_created_twice_is_duplicated(run: Run) -> None:
    run.ledger["customers"] = [ledger_customer(2, posts=2)]

    assert broken(run.findings()) == ["duplicated"]


def test_a_document_that_nobody_asked_for_is_unexpected(run: Run) -> None:
    run.ledger["invoices"].append(ledger_invoice("1002"))

    assert broken(run.findings()) == ["unexpected"]


def test_an_event_that_failed_is_unexpected(run: Run) -> None:
    run.fates[COMPANY, "customer-101-v1"] = Fate("failed", "It died 3 times.", "crash")

    assert broken(run.findings()) == ["unexpected"]
    assert run.findings().set_aside == 1


def test_a_version_written_after_a_newer_one_is_reordered(run: Run) -> None:
    run.writes.insert(2, written("customer", "101", 1))

    assert broken(run.findings()) == ["reordered"]


def test_a_version_overwritten_by_an_older_one_is_reordered(run: Run) -> None:
    run.writes.insert(2, written("customer", "101", 1))
    run.ledger["customers"] = [ledger_customer(1)]

    assert broken(run.findings()) == ["reordered"]


def test_an_invoice_before_the_version_that_came_before_it_is_reordered(run: Run) -> None:
    run.writes[1], run.writes[2] = run.writes[2], run.writes[1]

    assert broken(run.findings()) == ["reordered"]


def test_a_credit_note_before_its_invoice_is_posted_is_reordered(run: Run) -> None:
    run.attempted(invoice("1002", credits="1001"))
    run.fates[COMPANY, "invoice-1002"] = DONE
    run.ledger["invoices"].append(ledger_invoice("1002"))
    run.writes.insert(3, written("create", "1002"))

    assert broken(run.findings()) == ["reordered"]


def test_the_recorders_lines_are_read_as_writes() -> None:
    lines: Sequence[dict[str, Any]] = [
        {
            "write": "POST /3/customers",
            "number": "",
            "body": {"Customer": {"CustomerNumber": "101", "Name": "Kund 101 version 1"}},
        },
        {
            "write": "PUT /3/projects/{ProjectNumber}",
            "number": "7",
            "body": {"Project": {"Description": "Projekt 7 version 12"}},
        },
        {"write": "POST /3/invoices", "number": "", "body": {"Invoice": {"DocumentNumber": "1001"}}},
        {"write": "POST /3/inbox", "number": "", "body": None},
        {"write": "PUT /3/invoices/{DocumentNumber}/bookkeep", "number": "1001", "body": None},
    ]

    assert list(to_writes({"company": COMPANY, **line} for line in lines)) == [
        written("customer", "101", 1),
        written("project", "7", 12),
        written("create", "1001"),
        written("post", "1001"),
    ]


def test_the_same_seed_makes_the_same_events_through_all_doors() -> None:
    steps = [step for line in workload(SHORT).values() for step in line]

    assert steps == [step for line in workload(SHORT).values() for step in line]
    assert {step.entrance for step in steps} == {"python", "stream", "celery"}
    assert {step.kind for step in steps} == {"customer", "project", "invoice"}
    assert all(
        version_told(step.event["customer"]["name"]) == step.version for step in steps if step.kind == "customer"
    )
    assert any(step.credits for step in steps)
    assert any(step.files for step in steps)
