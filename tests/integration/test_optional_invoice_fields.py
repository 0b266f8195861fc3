"""What is optional on an invoice never stops it: it is left out where Fortnox refuses it, and a person is told."""

from typing import Any

import pytest

from messages import Message
from messages.catalogue import lines
from tests.unattended import Unattended
from tests.unit.factories import credit_note_json, customer_json, invoice_json

INVOICES = "POST /3/invoices"
ONE = "GET /3/invoices/1001"
POSTED = "PUT /3/invoices/1001/bookkeep"


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


def invoice_requests(acme: Unattended) -> list[str]:
    return [one for one in acme.sandbox.requests("acme") if "/3/invoices" in one]


@pytest.mark.parametrize("payment_id", ["10017", "10018", "7", "0" * 26])
def test_a_payment_id_goes_as_it_is_with_or_without_a_valid_check_digit(acme: Unattended, payment_id: str) -> None:
    told = transferred(acme, invoice_json(project=None, attachments=[], payment_id=payment_id))
    assert (in_fortnox(acme, 1001)["OCR"], told) == (payment_id, Message(""))
    assert invoice_requests(acme) == [INVOICES, POSTED]


def test_a_credit_note_has_its_own_payment_id(billed: Unattended) -> None:
    told = transferred(billed, credit_note_json(project=None, payment_id="10025"))
    assert (in_fortnox(billed, 1002)["OCR"], told) == ("10025", Message(""))


@pytest.mark.parametrize(
    ("knobs", "payment_id"),
    [
        ({"ocr_must_be_valid": True}, "10018"),
        ({}, "F10017"),
        ({"ocr_refused": "Betalningsreferensen godtas inte."}, "10017"),
    ],
)
def test_an_invoice_whose_payment_id_is_refused_is_posted_without_it_and_told(
    acme: Unattended, knobs: dict[str, Any], payment_id: str
) -> None:
    acme.sandbox.tenant("acme", **knobs)
    told = transferred(acme, invoice_json(project=None, attachments=[], payment_id=payment_id))
    invoice = in_fortnox(acme, 1001)
    assert (invoice["Booked"], invoice["OCR"], invoice["OurReference"]) == (True, "100164", "Anna Ek")
    assert (told.key, told.params["value"]) == ("invoice.without-payment-id", payment_id)
    assert invoice_requests(acme) == [INVOICES, INVOICES, POSTED]


def test_a_credit_note_with_its_originals_payment_id_is_posted_without_it_where_each_may_be_used_once(
    billed: Unattended,
) -> None:
    billed.sandbox.tenant("acme", ocr_must_be_unique=True)
    told = transferred(billed, credit_note_json(project=None, payment_id="10017"))
    assert in_fortnox(billed, 1002)["InvoiceReference"] == "1001"
    assert (in_fortnox(billed, 1002)["Booked"], told.key) == (True, "invoice.without-payment-id")


def test_a_refusal_that_names_nothing_costs_a_look_and_two_more_creates(acme: Unattended) -> None:
    acme.sandbox.post("projects", {"tenant": "acme", "number": "1", "StartDate": "2026-01-01"})
    acme.sandbox.customer("acme", "10001", Project="1")
    acme.sandbox.tenant("acme", ocr_refused="Ett fel har inträffat.")
    told = transferred(acme, invoice_json(project=None, attachments=[]))
    assert (in_fortnox(acme, 1001)["Booked"], in_fortnox(acme, 1001)["Project"]) == (True, "")
    assert [one.key for one in told.parts] == [
        "invoice.without-payment-id",
        "invoice.without-reference",
        "invoice.without-reference",
        "invoice.without-text",
    ]
    # refused, looked up, without what is to be emptied, without all that is optional but with what is to be emptied
    assert invoice_requests(acme) == [INVOICES, ONE, INVOICES, INVOICES, POSTED]


def test_where_blanks_and_a_payment_id_are_refused_without_a_word_both_are_left_out_and_blanks_remembered(
    acme: Unattended,
) -> None:
    acme.sandbox.tenant("acme", ocr_refused="Ett fel har inträffat.", blank_on_create="refused")
    for number in (1001, 1003):
        event = invoice_json(event_id=f"e{number}", id=number, invoice_number=number, project=None, attachments=[])
        transferred(acme, event)
    looks = ["GET /3/invoices/1001", "GET /3/invoices/1003"]
    # blanks are named; the look; the rest with blanks, which are named again; both. Then blanks are known: the rest
    first = [INVOICES, INVOICES, looks[0], INVOICES, INVOICES, POSTED]
    second = [INVOICES, looks[1], INVOICES, POSTED.replace("1001", "1003")]
    assert invoice_requests(acme) == first + second


def test_blanks_that_were_left_out_in_vain_are_sent_again_with_the_next_invoice(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", ocr_refused="Ett fel har inträffat.")
    transferred(acme, invoice_json(project=None, attachments=[]))
    acme.sandbox.tenant("acme", ocr_refused="")
    acme.sandbox.customer("acme", "10001", OurReference="Old Name")
    event = invoice_json(event_id="e9", id=9, invoice_number=1009, project=None, attachments=[], your_reference=None)
    assert transferred(acme, event) == Message("")
    assert in_fortnox(acme, 1009)["OurReference"] == ""


def test_a_refusal_that_names_nothing_is_told_as_it_is_where_nothing_helps(acme: Unattended) -> None:
    acme.sandbox.fault(
        "fail_next", status=400, code=2999999, message="Nej.", method="POST", path="/3/invoices", count=9
    )
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3")
    assert acme.event("e3").status == "failed"
    assert acme.event("e3").reason == Message("fortnox.refused-and-says-with-code", said="Nej.", code="2999999")
    assert invoice_requests(acme) == [INVOICES, ONE, INVOICES, INVOICES, INVOICES]


def test_what_was_found_out_of_a_vague_refusal_survives_a_throttled_attempt(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", ocr_refused="Ett fel har inträffat.")
    acme.publish(invoice_json(project=None, attachments=[]))
    for _ in range(6):
        acme.run("e3", capacity=1)
    assert acme.event("e3").status == "done"
    assert invoice_requests(acme) == [INVOICES, ONE, INVOICES, INVOICES, POSTED]


def test_a_reference_left_out_that_the_card_fills_in_is_told_too(acme: Unattended) -> None:
    acme.sandbox.customer("acme", "10001", YourReference="Old Name")
    refusal = "Värdet är för långt (YourReference)"
    acme.sandbox.fault("fail_next", status=400, code=2000107, message=refusal, method="POST", path="/3/invoices")
    told = transferred(acme, invoice_json(project=None, attachments=[]))
    assert lines(told)[1:] == [
        "Invoice 1001 is posted, but differs from Moment:",
        "Your reference: Old Name in Fortnox, Bo Lind in Moment",
    ]


def test_a_credit_note_of_an_invoice_that_is_not_in_fortnox_is_posted_without_a_link(acme: Unattended) -> None:
    told = transferred(acme, credit_note_json(project=None, credited_invoice_number=999))
    note = in_fortnox(acme, 1002)
    assert (note["Booked"], note["InvoiceReference"], note["ExternalInvoiceReference2"]) == (True, "0", "999")
    assert told == Message("invoice.without-link", credited="999", why=Message("invoice.original-not-there"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"InvoiceDate": "2026-12-01"}, "Invoice date: 1 Dec 2026 in Fortnox, 20 Nov 2026 in Moment"),
        ({"Project": "2"}, "Project: 2 in Fortnox, nothing in Moment"),
        ({"CustomerNumber": "10002"}, "Customer: 10002 in Fortnox, 10001 in Moment"),
    ],
)
def test_what_a_person_changes_meanwhile_that_changes_the_books_is_told_and_not_posted(
    acme: Unattended, changed: dict[str, Any], told: str
) -> None:
    locked_and_changed(acme, DueDate="2027-03-01", **changed)
    acme.run("e3")
    event = acme.event("e3")
    assert (event.status, event.code) == ("failed", "NotAsBilled")
    assert {told, "Due date: 1 Mar 2027 in Fortnox, 20 Dec 2026 in Moment"} <= set(lines(event.reason))
    assert not in_fortnox(acme, 1001)["Booked"]
    acme.sandbox.post("invoices/1001/book", {"tenant": "acme"})
    acme.run("e3")
    assert acme.event("e3").status == "failed"
    assert told in lines(acme.event("e3").reason)


def test_what_a_person_changes_meanwhile_that_does_not_change_the_books_is_told_and_posted(acme: Unattended) -> None:
    acme.sandbox.post("registers", {"tenant": "acme", "cost_centers": ["MA"]})
    locked_and_changed(acme, DueDate="2027-03-01", CostCenter="MA")
    assert acme.run("e3") == "done"
    assert in_fortnox(acme, 1001)["Booked"]
    assert lines(acme.event("e3").reason) == [
        "Invoice 1001 is posted, but differs from Moment:",
        "Cost centre: MA in Fortnox, nothing in Moment",
        "Due date: 1 Mar 2027 in Fortnox, 20 Dec 2026 in Moment",
    ]


def locked_and_changed(acme: Unattended, **changed: Any) -> None:
    """Invoice 1001 could not be posted in its locked period; a person changes it, and unlocks the period."""
    acme.sandbox.post("lock", {"tenant": "acme", "until": "2026-11-30"})
    acme.sandbox.post("projects", {"tenant": "acme", "number": "2", "StartDate": "2026-01-01"})
    acme.sandbox.customer("acme", "10002")
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3")
    assert acme.event("e3").code.startswith("period-locked")
    acme.by_hand("invoices/1001", {"Invoice": changed}, method="PUT")
    acme.sandbox.post("lock", {"tenant": "acme", "until": None})
