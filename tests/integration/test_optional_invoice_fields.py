"""What is optional on an invoice never stops it: it is left out where Fortnox refuses it, and a person is told."""

from typing import Any

import pytest

from messages import Message
from tests.unattended import Unattended
from tests.unit.factories import credit_note_json, customer_json, invoice_json

INVOICES = "POST /3/invoices"


def transferred(acme: Unattended, event: dict[str, Any]) -> Message:
    """Transfers the event; it is done. What a person is told."""
    acme.publish(event)
    assert acme.run(event["id"]) == "done"
    assert acme.event(event["id"]).status == "done"
    return acme.event(event["id"]).reason


def in_fortnox(acme: Unattended, number: int) -> dict[str, Any]:
    return next(one for one in acme.sandbox.state("acme")["invoices"] if one["DocumentNumber"] == str(number))


@pytest.fixture
def billed(acme: Unattended) -> Unattended:
    """Invoice 1001, transferred."""
    transferred(acme, invoice_json(project=None, attachments=[]))
    return acme


@pytest.mark.parametrize(
    "words",
    [
        "Fakturan är såld till factoringbolaget.",
        "Faktura 1001 är redan betald.",
        "Faktura 1001 har redan krediterats.",
        "Fakturan tillhör en annan kund.",
        "",
    ],
)
def test_a_credit_note_whose_link_is_refused_is_posted_without_it(billed: Unattended, words: str) -> None:
    if words:
        billed.sandbox.tenant("acme", credit_refused=words)
    else:
        billed.sandbox.tenant("acme", credit_reference_on_create="refused")  # as an unknown field
    told = transferred(billed, credit_note_json(project=None))
    note = in_fortnox(billed, 1002)
    assert (note["Booked"], note["InvoiceReference"], note["ExternalInvoiceReference2"]) == (True, "0", "1001")
    assert billed.sandbox.requests("acme").count(INVOICES) == 3
    assert (told.key, told.params["credited"]) == ("invoice.without-link", "1001")
    assert billed.reported() == ["e5"]


def test_a_refusal_that_names_another_cause_is_told_and_leaves_nothing_out(billed: Unattended) -> None:
    billed.sandbox.account("acme", 3010, active=False)
    billed.publish(credit_note_json(project=None))
    billed.run("e5")
    assert billed.event("e5").code.startswith("account-inactive")
    billed.sandbox.account("acme", 3010, active=True)
    assert billed.run("e5") == "done"
    assert in_fortnox(billed, 1002)["InvoiceReference"] == "1001"
    assert billed.event("e5").reason == Message("")


def test_what_was_left_out_is_told_by_the_attempt_that_ends_the_transfer(billed: Unattended) -> None:
    billed.sandbox.tenant("acme", credit_refused="Fakturan är såld.")
    billed.publish(credit_note_json(project=None))
    for _ in range(3):
        billed.run("e5", capacity=1)
    assert billed.event("e5").status == "done"
    assert billed.event("e5").reason.key == "invoice.without-link"


def test_a_link_that_was_left_out_in_vain_is_tried_again_with_a_retry(billed: Unattended) -> None:
    billed.sandbox.tenant("acme", credit_refused="Fakturan är såld.")
    billed.sandbox.account("acme", 3010, active=False)
    billed.publish(credit_note_json(project=None))
    billed.run("e5")
    assert billed.event("e5").status == "failed"
    billed.sandbox.account("acme", 3010, active=True)
    billed.sandbox.tenant("acme", credit_refused="")
    assert billed.run("e5") == "done"
    assert in_fortnox(billed, 1002)["InvoiceReference"] == "1001"


def test_an_invoice_of_a_customer_who_has_another_number_now_is_not_linked(billed: Unattended) -> None:
    transferred(billed, customer_json(event_id="renumbered", customer_number="10002"))
    told = transferred(billed, credit_note_json(project=None, customer={"id": 62788973, "customerNumber": "10002"}))
    assert in_fortnox(billed, 1002)["InvoiceReference"] == "0"
    assert in_fortnox(billed, 1001)["CreditInvoiceReference"] == "0"
    assert told == Message(
        "invoice.without-link", credited="1001", why=Message("invoice.original-not-the-customers", customer="10002")
    )
