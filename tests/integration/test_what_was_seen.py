"""An attempt uses what the one before saw if it only waited for capacity. Otherwise a person may have changed it."""

from typing import Any

import pytest
import requests

from messages.catalogue import say
from tests.unattended import Unattended
from tests.unit.factories import an_attachment, credit_note_json, customer_json, invoice_json, project_json

ATTACHMENTS = "/api/fileattachments/attachments-v1"
INVOICE = "/3/invoices/1001"
ROW = {"AccountNumber": 3010, "Description": "Gammalt", "DeliveredQuantity": "1", "Price": 100, "VAT": 25}
THEIRS = {"Invoice": {"CustomerNumber": "10001", "DocumentNumber": "1001", "InvoiceRows": [ROW]}}


def invoice(acme: Unattended, number: str = "1001", ledger: str = "acme") -> dict[str, Any]:
    found = acme.sandbox.state(ledger)["invoices"]
    return next(one for one in found if str(one["DocumentNumber"]) == number)


def headers(acme: Unattended) -> dict[str, str]:
    """As a person of the company."""
    token = acme.services.fortnox.oauth.exchange_code(acme.sandbox.code("acme")).access_token.get_secret_value()
    return {"Authorization": f"Bearer {token}"}


def run_until_settled(acme: Unattended, event_id: str, capacity: int) -> list[str]:
    """Attempts with so much capacity each, until one settles the event. Returns the requests."""
    before = len(acme.sandbox.requests("acme"))
    for _ in range(8):
        acme.run(event_id, capacity=capacity)
        if acme.event(event_id).status in ("done", "failed", "held"):
            return acme.sandbox.requests("acme")[before:]
    raise AssertionError(acme.sandbox.requests("acme")[before:])


def failed_on_its_account(acme: Unattended, event: dict[str, Any]) -> None:
    """The account is active again afterwards."""
    acme.sandbox.account("acme", 3010, active=False)
    acme.publish(event)
    acme.run(event["id"])
    assert acme.event(event["id"]).status == "failed"
    acme.sandbox.account("acme", 3010, active=True)


def test_a_project_that_was_looked_at_and_not_written_is_looked_at_again(acme: Unattended) -> None:
    acme.sandbox.post("projects", {"tenant": "acme", "number": "1", "Description": "Ombyggnad"})
    acme.publish(project_json())
    acme.sandbox.fault("fail_next", method="PUT", path="/3/projects", status=400, code=2000663, message="Scope")
    acme.run("e2")
    assert acme.event("e2").status == "held"
    acme.sandbox.delete("projects/1?tenant=acme")
    acme.sandbox.post("projects", {"tenant": "acme", "number": "1", "Description": "Kvarteret Violen, garage"})
    acme.run("e2")
    assert acme.event("e2").code == "HeldByAnother"


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_project_that_is_refused_fails_however_little_capacity_there_is(acme: Unattended, capacity: int) -> None:
    refusal = {"status": 400, "code": 2000359, "message": "Tecken", "count": 100}
    acme.sandbox.fault("fail_next", method="POST", path="/3/projects", **refusal)
    acme.publish(project_json())
    once_more = ["POST /3/projects"] if capacity == 1 else []
    assert run_until_settled(acme, "e2", capacity) == ["POST /3/projects", "GET /3/projects/1", *once_more]


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_posting_that_is_refused_fails_however_little_capacity_there_is(acme: Unattended, capacity: int) -> None:
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3", capacity=1)
    acme.sandbox.post("lock", {"tenant": "acme", "until": "2026-11-30"})
    once_more = [f"PUT {INVOICE}/bookkeep"] if capacity == 1 else []
    assert run_until_settled(acme, "e3", capacity) == [f"PUT {INVOICE}/bookkeep", f"GET {INVOICE}", *once_more]
    assert acme.event("e3").status == "failed"


def test_what_a_person_changed_after_a_refused_posting_is_not_posted(acme: Unattended) -> None:
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3", capacity=1)
    acme.sandbox.post("lock", {"tenant": "acme", "until": "2026-11-30"})
    acme.run("e3")
    acme.run("e3", capacity=2)  # retried by a person: looked at, refused, and no capacity to look again
    change = {"Invoice": {"InvoiceRows": [{**ROW, "Price": 5}]}}
    assert requests.put(acme.sandbox.fortnox + INVOICE, json=change, headers=headers(acme), timeout=30).ok
    acme.sandbox.post("lock", {"tenant": "acme", "until": None})
    acme.run("e3")
    assert (acme.event("e3").code, invoice(acme)["Booked"]) == ("NotAsBilled", False)


def test_files_are_not_waited_for_while_their_part_of_fortnox_is_closed(acme: Unattended) -> None:
    refusal = {"status": 403, "code": 2001101, "message": "Licens saknas", "count": 50}
    acme.sandbox.fault("fail_next", method="POST", path="/3/inbox", **refusal)
    acme.publish(invoice_json(project=None, attachments=[an_attachment(url=None, content="JVBERi0xLjQ=")]))
    run_until_settled(acme, "e3", capacity=1)
    assert (acme.event("e3").status, invoice(acme)["Booked"]) == ("held", True)


def test_a_rate_that_a_person_added_is_found(acme: Unattended) -> None:
    acme.publish(invoice_json(project=None, attachments=[], currency_code="PLN"))
    acme.run("e3")
    assert acme.event("e3").status == "failed"
    acme.sandbox.post("currencies", {"tenant": "acme", "code": "PLN", "rate": "2.50"})
    assert acme.run("e3") == "done"


def test_a_rate_that_a_person_mended_is_used(acme: Unattended) -> None:
    acme.sandbox.post("currencies", {"tenant": "acme", "code": "EUR", "rate": "1.00"})
    failed_on_its_account(acme, invoice_json(project=None, attachments=[], currency_code="EUR"))
    acme.sandbox.post("currencies", {"tenant": "acme", "code": "EUR", "rate": "11.50"})
    assert acme.run("e3") == "done"
    assert float(invoice(acme)["CurrencyRate"]) == 11.5


def test_an_invoice_that_another_event_brought_meanwhile_is_found(acme: Unattended) -> None:
    failed_on_its_account(acme, invoice_json(project=None, attachments=[]))
    acme.publish(invoice_json(project=None, attachments=[], event_id="again"))
    assert acme.run("again") == "done"
    assert acme.run("e3") == "done"


def test_a_number_that_a_person_took_meanwhile_is_told_with_whose_it_is(acme: Unattended) -> None:
    failed_on_its_account(acme, invoice_json(project=None, attachments=[]))
    acme.by_hand("invoices", THEIRS)
    acme.run("e3")
    assert acme.event("e3").code == "NumberTaken"
    assert "of customer “10001" in say(acme.event("e3").reason)


def test_an_original_that_a_person_entered_meanwhile_is_linked_to(acme: Unattended) -> None:
    failed_on_its_account(acme, credit_note_json(project=None))
    acme.by_hand("invoices", THEIRS)
    assert acme.run("e5") == "done"
    assert invoice(acme, "1002")["InvoiceReference"] == "1001"


def test_a_file_that_a_person_attached_while_it_was_late_is_not_attached_again(acme: Unattended) -> None:
    shelf = f"{acme.sandbox.moment}/_sandbox/files"
    file = {"company": "acme", "name": "a.pdf", "size": 1000}
    path = requests.post(shelf, json=file | {"status": 404}, timeout=30).json()["path"]
    acme.publish(invoice_json(project=None, attachments=[an_attachment(url=acme.sandbox.moment + path)]))
    assert acme.run("e3") == "done"
    requests.post(shelf, json=file | {"status": 503}, timeout=30).raise_for_status()
    acme.run("e3")
    assert acme.event("e3").status == "retrying"
    by_hand: dict[str, Any] = {"headers": headers(acme), "timeout": 5}
    inbox = f"{acme.sandbox.fortnox}/3/inbox?path=inbox_kf"
    uploaded = requests.post(inbox, files={"file": ("egen.pdf", b"%PDF egen", "application/pdf")}, **by_hand).json()
    link = {"entityId": 1001, "entityType": "F", "fileId": uploaded["File"]["ArchiveFileId"], "includeOnSend": False}
    assert requests.post(acme.sandbox.fortnox + ATTACHMENTS, json=[link], **by_hand).ok
    requests.post(shelf, json=file, timeout=30).raise_for_status()
    assert acme.run("e3") == "done"
    assert [one["Name"] for one in invoice(acme)["attachments"]] == ["egen.pdf"]


def test_links_that_may_have_been_made_are_looked_for_also_if_posting_then_waits_for_capacity(acme: Unattended) -> None:
    acme.publish(invoice_json(project=None, attachments=[an_attachment(url=None, content="JVBERi0xLjQ=")]))
    for unanswered in ("drop_before", "drop_before", "drop_response_after_write"):
        acme.sandbox.fault(unanswered, method="POST", path=ATTACHMENTS)
    acme.run("e3")
    acme.run("e3")
    acme.run("e3", capacity=2)  # listed, then linked without an answer for the third time: it no longer waits
    for _ in range(3):
        acme.run("e3")
    assert acme.event("e3").status == "done"
    assert [one["Name"] for one in invoice(acme)["attachments"]] == ["faktura-1001.pdf"]


def test_what_was_seen_in_one_ledger_is_nothing_to_another(acme: Unattended) -> None:
    for ledger, rate in (("acme", "1.00"), ("other", "11.50")):
        acme.sandbox.post("currencies", {"tenant": ledger, "code": "EUR", "rate": rate})
    acme.publish(invoice_json(project=None, attachments=[], currency_code="EUR"))
    acme.run("e3", capacity=1)
    acme.connect("moved", ledger="other")
    acme.publish(customer_json(event_id="e6"))
    assert acme.run("e6") == "done"
    assert acme.run("e3") == "done"
    assert float(invoice(acme, ledger="other")["CurrencyRate"]) == 11.5
