"""Payments back to Moment, run one by one against a real Redis and the sandbox: each once, followed, and none lost."""

from typing import Any

import pytest

from delivery.polling import hints_asked, poll_asked
from fortnox import client
from tasks.flows import PAYMENTS
from tests.unattended import Unattended
from tests.unit.factories import a_line, customer_json, integration_json, invoice_json

POLL = "payments-poll"
CHOICE = {"enabled": True, "fromDate": None}


@pytest.fixture
def acme(unattended: Unattended) -> Unattended:
    """Connected, with payments, and the invoices 1001 and 1002 of 12,500 kronor posted."""
    unattended.connect(payments=CHOICE)
    unattended.publish(customer_json())
    assert unattended.run("e1") == "done"
    for number in (1001, 1002):
        invoice(unattended, number)
    poll(unattended)
    return unattended


def invoice(acme: Unattended, number: int, **fields: Any) -> None:
    event_id = f"i{number}"
    given = {"event_id": event_id, "id": number, "invoice_number": number, "payment_id": None, "project": None}
    acme.publish(invoice_json(**{**given, "attachments": [], **fields}))
    assert acme.run(event_id) == "done"


def poll(acme: Unattended, event_id: str = POLL) -> Any:
    """Poll now. Return how it ended."""
    if event_id == POLL:
        poll_asked(acme.services.ordering, "acme", PAYMENTS)
    else:
        hints_asked(acme.services.ordering, "acme", PAYMENTS)
    return acme.run(event_id)


def pay(acme: Unattended, number: int = 1001, amount: str = "12500", **more: Any) -> str:
    given = {"tenant": "acme", "invoice": str(number), "amount": amount, "date": "2026-11-24", **more}
    return str(acme.sandbox.post("invoicepayments", given)["Number"])


def in_moment(acme: Unattended) -> dict[str, tuple[str, str, int]]:
    """Amount, kind and number of writes of each payment."""
    return {name: (one["amount"], one["kind"], one["writes"]) for name, one in acme.sandbox.payments("acme").items()}


def test_a_payment_goes_to_moment_once(acme: Unattended) -> None:
    pay(acme, amount="2500")
    assert poll(acme) == "done"
    assert in_moment(acme) == {"fortnox:1": ("2500.00", "payment", 1)}
    assert acme.sandbox.payments("acme")["fortnox:1"]["invoiceNumber"] == "1001"
    assert poll(acme) == "done"
    assert in_moment(acme) == {"fortnox:1": ("2500.00", "payment", 1)}


def test_a_payment_is_followed_when_it_is_changed_and_when_it_is_undone(acme: Unattended) -> None:
    number = pay(acme, amount="2500")
    poll(acme)
    acme.sandbox.post("invoicepayments", {"tenant": "acme", "number": number, "amount": "2000", "date": "2026-11-25"})
    poll(acme)
    assert in_moment(acme) == {"fortnox:1": ("2000.00", "payment", 2)}
    acme.sandbox.post(f"invoicepayments/{number}/unbook", {"tenant": "acme"})
    poll(acme)
    assert in_moment(acme) == {}


def test_a_payment_that_is_deleted_is_found_by_its_invoices_balance(acme: Unattended) -> None:
    number = pay(acme, amount="2500")
    pay(acme, amount="1000")
    poll(acme)
    acme.sandbox.delete(f"invoicepayments/{number}?tenant=acme")
    poll(acme)
    assert in_moment(acme) == {"fortnox:2": ("1000.00", "payment", 1)}


def test_a_deleted_payment_that_the_feed_tells_of_is_undone_without_a_list(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", payments_change_invoice=False)
    acme.sandbox.post("clock", {"advance_seconds": 600})
    poll(acme)
    number = pay(acme, amount="2500")
    poll(acme)
    acme.sandbox.delete(f"invoicepayments/{number}?tenant=acme")
    assert poll(acme) == "done"
    assert in_moment(acme)  # nothing shows it
    tenant = acme.services.stores.connections.ledger("acme")
    acme.services.stores.payments("acme", tenant).hint([number])
    assert poll(acme, "payments-hints") == "done"
    assert in_moment(acme) == {}


def test_a_credit_note_that_settles_an_invoice_goes_to_both(acme: Unattended) -> None:
    line = a_line(quantity="-8", amount_excluding_vat="-10000.00")
    invoice(acme, 1003, credited_invoice_number=1001, total_including_vat="-12500.00", lines=[line])
    assert poll(acme) == "done"
    assert in_moment(acme) == {
        "fortnox:credit:1001": ("12500.00", "creditNote", 1),
        "fortnox:credit:1003": ("-12500.00", "creditNote", 1),
    }


def test_what_is_written_off_settles_the_rest(acme: Unattended) -> None:
    pay(acme, amount="12499.60", written_off="0.40")
    poll(acme)
    assert in_moment(acme) == {
        "fortnox:1": ("12499.60", "payment", 1),
        "fortnox:written-off:1001": ("0.40", "writeOff", 1),
    }


def test_a_foreign_payment_has_the_invoices_currency(acme: Unattended) -> None:
    invoice(acme, 1004, currency_code="EUR", currency_rate="11.5")
    pay(acme, 1004, "12500")
    poll(acme)
    payment = acme.sandbox.payments("acme")["fortnox:1"]
    assert (payment["amount"], payment["currencyCode"]) == ("12500.00", "EUR")


def test_payments_of_invoices_that_we_did_not_transfer_stay_in_fortnox(acme: Unattended) -> None:
    row = {"AccountNumber": 3010, "Description": "x", "DeliveredQuantity": "1", "Price": 100, "VAT": 25}
    acme.by_hand("invoices", {"Invoice": {"DocumentNumber": "55", "CustomerNumber": "10001", "InvoiceRows": [row]}})
    acme.sandbox.post("invoices/55/book", {"tenant": "acme"})
    pay(acme, 55, "125")
    poll(acme)
    assert in_moment(acme) == {}


def test_nothing_is_asked_of_a_company_that_did_not_choose_it(unattended: Unattended) -> None:
    unattended.connect()
    assert unattended.services.polling.flows["payments"].next("acme") is None
    assert unattended.services.ordering.event("acme", POLL) is None


def test_only_what_was_paid_from_the_chosen_day_on_goes_to_moment(unattended: Unattended) -> None:
    unattended.connect(payments={"enabled": True, "fromDate": "2026-11-01"})
    unattended.publish(customer_json())
    unattended.run("e1")
    invoice(unattended, 1001)
    pay(unattended, amount="100", date="2026-10-31")
    pay(unattended, amount="200", date="2026-11-01")
    poll(unattended)
    assert in_moment(unattended) == {"fortnox:2": ("200.00", "payment", 1)}


def test_nothing_is_lost_while_moment_or_fortnox_is_down(acme: Unattended) -> None:
    pay(acme)
    acme.sandbox.in_moment("POST", "faults", {"kind": "fail_next", "status": 503, "count": 1, "method": "PUT"})
    assert str(poll(acme)).startswith("again in")
    assert acme.run(POLL) == "done"
    acme.sandbox.fault("fail_next", status=503, path="/3/invoicepayments")
    pay(acme, 1002)
    assert str(poll(acme)).startswith("again in")
    assert acme.run(POLL) == "done"
    assert in_moment(acme) == {"fortnox:1": ("12500.00", "payment", 1), "fortnox:2": ("12500.00", "payment", 1)}


def test_an_answer_of_moment_that_was_lost_is_no_second_payment(acme: Unattended) -> None:
    pay(acme)
    acme.sandbox.in_moment("POST", "faults", {"kind": "drop_response_after_write", "method": "PUT"})
    assert str(poll(acme)).startswith("again in")
    assert acme.run(POLL) == "done"
    assert in_moment(acme) == {"fortnox:1": ("12500.00", "payment", 2)}


def test_what_moment_refuses_is_told_once_and_goes_through_when_it_is_mended(acme: Unattended) -> None:
    acme.sandbox.in_moment("POST", "options", {"unknown_invoices": ["1001"]})
    pay(acme)
    pay(acme, 1002)
    assert poll(acme) == "done"
    assert list(in_moment(acme)) == ["fortnox:2"]
    (failed,) = acme.services.ordering.failed("acme")
    assert failed.reason.key == "payments.refused"
    pay(acme, amount="-1")
    poll(acme)
    assert [one.id for one in acme.services.ordering.failed("acme")] == [failed.id]
    acme.sandbox.in_moment("POST", "options", {"unknown_invoices": []})
    assert acme.run(failed.id) == "done"
    assert set(in_moment(acme)) == {"fortnox:1", "fortnox:2", "fortnox:3"}


def test_a_switch_off_ends_the_polls(acme: Unattended) -> None:
    changed = integration_json(event_id="e9", payments={"enabled": False, "fromDate": None})
    acme.publish(
        {**changed, "type": "integration.updated", "integration": {**changed["integration"], "authorizationCode": None}}
    )
    assert acme.run("e9") == "done"
    assert acme.services.polling.flows["payments"].next("acme") is None
    pay(acme)
    poll(acme)
    assert in_moment(acme) == {}


def test_a_poll_costs_two_requests_and_two_for_each_invoice_that_changed(acme: Unattended) -> None:
    pay(acme)
    before = len(acme.sandbox.requests("acme"))
    poll(acme)
    made = acme.sandbox.requests("acme")[before:]
    assert made == [
        "GET /3/invoicepayments",
        "GET /3/invoices",
        "GET /3/invoices/1001",
        "GET /3/invoicepayments",
    ]


def test_a_list_that_changes_between_its_pages_is_read_again(acme: Unattended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    numbers = [pay(acme, amount=str(100 + n)) for n in range(5)]
    tenant = acme.services.stores.connections.ledger("acme")
    store, taken = acme.services.stores.payments("acme", tenant), client.InvoicePayments.page

    def page(self: client.InvoicePayments, number: int, **how: Any) -> Any:
        found = taken(self, number, **how)
        if number == 1 and numbers:
            acme.sandbox.delete(f"invoicepayments/{numbers.pop(0)}?tenant=acme")  # the others move up
        return found

    monkeypatch.setattr(client.InvoicePayments, "page", page)
    assert poll(acme) == "done"
    assert set(in_moment(acme)) == {f"fortnox:{number}" for number in numbers}
    assert store.page("payments") == 1
    read = [one for one in acme.sandbox.get("requests", tenant="acme")["requests"] if "invoicepayments" in one["path"]]
    assert sum("page=1" in one["query"] for one in read) > 2


def test_invoices_that_an_earlier_version_transferred_are_followed_from_the_first_poll(unattended: Unattended) -> None:
    unattended.connect()
    unattended.publish(customer_json())
    assert unattended.run("e1") == "done"
    for number in (1001, 1002):
        invoice(unattended, number)
    redis = unattended.services.redis
    redis.delete(*redis.scan_iter("mf:transferred:*"))  # it remembered none
    unattended.sandbox.post("invoicepayments", {"tenant": "acme", "invoice": "1001", "amount": "2500"})
    chosen = integration_json(
        event_id="e8", type="integration.updated", authorization_code=None, expenses={"enabled": False}, payments=CHOICE
    )
    unattended.publish(chosen)
    assert unattended.run("e8") == "done"

    poll(unattended)

    assert {one["amount"] for one in unattended.sandbox.payments("acme").values()} == {"2500.00"}
