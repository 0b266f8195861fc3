"""With capacity for one request at a time, each attempt continues from what the attempt before has seen."""

from collections.abc import Sequence
from typing import Any

import pytest
import requests

from tests.unattended import Unattended
from tests.unit.factories import a_line, an_attachment, credit_note_json, invoice_json, project_json

ATTACHMENTS = "/api/fileattachments/attachments-v1"
INVOICE = "/3/invoices/1001"


def one_by_one(acme: Unattended, event_id: str, expected: Sequence[str]) -> None:
    """Each attempt makes the one request that comes next; the last ends it."""
    before = len(acme.sandbox.requests("acme"))
    shown: list[Any] = []
    for _ in expected:
        shown.append(acme.run(event_id, capacity=1))
        if shown[-1] == "done":
            break
    assert acme.sandbox.requests("acme")[before:] == list(expected)
    assert shown[-1] == "done", shown


def an_old_invoice(number: str, customer: str) -> dict[str, Any]:
    row = {"AccountNumber": 3010, "Description": "Gammalt", "DeliveredQuantity": "1", "Price": 100, "VAT": 25}
    return {"Invoice": {"CustomerNumber": customer, "DocumentNumber": number, "InvoiceRows": [row]}}


def test_a_project_that_fortnox_has_already(acme: Unattended) -> None:
    acme.sandbox.post("projects", {"tenant": "acme", "number": "1", "Description": "Ombyggnad"})
    acme.publish(project_json())
    one_by_one(acme, "e2", ["POST /3/projects", "GET /3/projects/1", "PUT /3/projects/1"])


def test_an_invoice_in_a_currency_whose_rate_is_fortnoxs(acme: Unattended) -> None:
    acme.sandbox.post("currencies", {"tenant": "acme", "code": "EUR", "rate": "11.50"})
    acme.publish(invoice_json(project=None, attachments=[], currency_code="EUR"))
    one_by_one(acme, "e3", ["GET /3/currencies/EUR", "POST /3/invoices", f"PUT {INVOICE}/bookkeep"])


def test_an_invoice_that_may_have_been_created(acme: Unattended) -> None:
    acme.sandbox.fault("drop_before", method="POST", path="/3/invoices")
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3", capacity=1)
    found_nothing = [f"GET {INVOICE}", "GET /3/invoices"]
    one_by_one(acme, "e3", [*found_nothing, "POST /3/invoices", f"PUT {INVOICE}/bookkeep"])


def test_an_invoice_that_may_have_been_posted(acme: Unattended) -> None:
    acme.sandbox.fault("drop_before", method="PUT", path=INVOICE)
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3", capacity=2)
    one_by_one(acme, "e3", [f"GET {INVOICE}", f"PUT {INVOICE}/bookkeep"])


def test_a_posting_that_was_throttled_is_not_looked_at_first(acme: Unattended) -> None:
    acme.publish(invoice_json(project=None, attachments=[]))
    one_by_one(acme, "e3", ["POST /3/invoices", f"PUT {INVOICE}/bookkeep"])


@pytest.mark.parametrize("clock", [1.0, 4e9], ids=["long ago", "by a clock that is ahead"])
def test_an_invoice_that_was_compared_at_another_time(
    acme: Unattended, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    monkeypatch.setattr("tasks.invoices.time.time", lambda: clock)
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3", capacity=1)
    monkeypatch.undo()
    one_by_one(acme, "e3", [f"GET {INVOICE}", f"PUT {INVOICE}/bookkeep"])


def test_files_whose_linking_is_in_doubt(acme: Unattended) -> None:
    first, second = (an_attachment(file_name=f"{n}.pdf", url=None, content=content) for n, content in FILES.items())
    acme.sandbox.fault("fail_next", method="POST", path="/3/inbox", status=503, body="html")
    acme.publish(invoice_json(project=None, attachments=[first, second]))
    acme.run("e3", capacity=2)
    uploads = ["POST /3/inbox", "POST /3/inbox"]
    acme.sandbox.fault("drop_before", method="POST", path=ATTACHMENTS)
    acme.run("e3", capacity=3)
    one_by_one(acme, "e3", [f"GET {ATTACHMENTS}", f"POST {ATTACHMENTS}", f"PUT {INVOICE}/bookkeep"])
    assert acme.sandbox.requests("acme").count("POST /3/inbox") == 1 + len(uploads)


def test_a_file_is_not_fetched_while_there_is_no_capacity_to_upload_it(acme: Unattended) -> None:
    moment = f"{acme.sandbox.moment}/_sandbox"
    shelf = requests.post(f"{moment}/files", json={"company": "acme", "name": "a.pdf", "size": 1000}, timeout=30).json()
    acme.publish(invoice_json(project=None, attachments=[an_attachment(url=acme.sandbox.moment + shelf["path"])]))
    uploaded = ["POST /3/inbox", f"POST {ATTACHMENTS}"]
    one_by_one(acme, "e3", ["POST /3/invoices", *uploaded, f"PUT {INVOICE}/bookkeep"])
    fetched = requests.get(f"{moment}/requests", params={"company": "acme"}, timeout=30).json()["requests"]
    assert [request["path"] for request in fetched] == [shelf["path"]]


def test_a_credit_note_whose_original_is_older_than_the_integration(acme: Unattended) -> None:
    acme.by_hand("invoices", an_old_invoice("1001", "10001"))
    acme.publish(credit_note_json(project=None))
    one_by_one(acme, "e5", [f"GET {INVOICE}", "POST /3/invoices", "PUT /3/invoices/1002/bookkeep"])


def test_a_number_that_is_taken_is_looked_at_rather_than_created_again(acme: Unattended) -> None:
    acme.by_hand("invoices", an_old_invoice("1001", "10001"))
    acme.publish(invoice_json(project=None, attachments=[], lines=[a_line()]))
    before = len(acme.sandbox.requests("acme"))
    for _ in range(2):
        acme.run("e3", capacity=1)
    assert acme.sandbox.requests("acme")[before:] == ["POST /3/invoices", f"GET {INVOICE}"]
    assert acme.event("e3").code == "NumberTaken"


def test_a_refusal_of_another_kind_is_told_after_a_look_for_the_number(acme: Unattended) -> None:
    acme.sandbox.account("acme", 3010, active=False)
    acme.publish(invoice_json(project=None, attachments=[]))
    before = len(acme.sandbox.requests("acme"))
    for _ in range(3):
        acme.run("e3", capacity=1)
    assert acme.sandbox.requests("acme")[before:] == ["POST /3/invoices", f"GET {INVOICE}", "POST /3/invoices"]
    assert acme.event("e3").status == "failed"
    acme.sandbox.account("acme", 3010, active=True)
    one_by_one(acme, "e3", ["POST /3/invoices", f"PUT {INVOICE}/bookkeep"])


FILES = {"ritning": "JVBERi0xLjQgcml0bmluZw==", "faktura": "JVBERi0xLjQgZmFrdHVyYQ=="}
