"""A company that connects to another ledger in the middle of a transfer: what was done in the old one stays there."""

from typing import Any

import pytest

from delivery.context import TransferContext, counting
from ordering import Done, Outcome
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json

BOOKKEEP = "/3/invoices/1001/bookkeep"


@pytest.fixture
def acme(unattended: Unattended) -> Unattended:
    """Connected to the ledger `acme`; there is another, `other`."""
    unattended.connect()
    return unattended


def invoices(acme: Unattended, ledger: str) -> dict[int, dict[str, Any]]:
    return {int(one["DocumentNumber"]): one for one in acme.sandbox.state(ledger)["invoices"]}


def test_an_invoice_of_the_same_number_in_the_new_ledger_is_not_posted_for_ours(acme: Unattended) -> None:
    acme.publish(customer_json())
    assert acme.run("e1") == "done"
    acme.sandbox.fault("fail_next", status=503, path=BOOKKEEP, body="html", tenant="acme")
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3")
    assert list(invoices(acme, "acme")) == [1001]
    acme.by_hand("customers", {"Customer": {"CustomerNumber": "10001", "Name": "En annan kund"}}, "other")
    row = {"AccountNumber": 3010, "Description": "Deras", "DeliveredQuantity": "1", "Price": 100, "VAT": 25}
    theirs = {"CustomerNumber": "10001", "DocumentNumber": "1001", "InvoiceRows": [row]}
    acme.by_hand("invoices", {"Invoice": theirs}, "other")
    acme.connect("moved", "other")

    acme.run("e3")

    refused = acme.event("e3")
    assert (refused.status, refused.code) == ("failed", "NumberTaken")
    assert not invoices(acme, "other")[1001]["Booked"]


def test_an_invoice_that_was_left_half_way_in_the_old_ledger_is_whole_in_the_new_one(acme: Unattended) -> None:
    acme.publish(customer_json())
    assert acme.run("e1") == "done"
    acme.sandbox.fault("fail_next", status=503, path=BOOKKEEP, body="html", tenant="acme")
    acme.publish(invoice_json(project=None, attachments=[]))
    acme.run("e3")
    acme.connect("moved", "other")
    acme.publish(customer_json(event_id="again"))
    assert acme.run("again") == "done"

    assert acme.run("e3") == "done"

    assert invoices(acme, "other")[1001]["Booked"]
    assert not invoices(acme, "acme")[1001]["Booked"]


def test_a_transfer_that_the_move_meets_between_two_requests_sends_nothing_more_and_begins_anew(
    acme: Unattended,
) -> None:
    acme.publish(customer_json())

    def moved_on_the_way(context: TransferContext) -> Outcome:
        context.fortnox.company_information()
        context.record("halfway")
        acme.connect("moved", "other")
        context.links.remember("customer", "10001", "written in the old ledger")
        before.extend(acme.sandbox.requests("other"))
        context.fortnox.company_information()
        return Done()

    before: list[str] = []
    assert acme.run("e1", moved_on_the_way) == "release"
    assert acme.sandbox.requests("other") == before
    assert acme.event("e1").status == "ready"

    def from_the_start(context: TransferContext) -> Outcome:
        assert context.taken("halfway") is None
        assert context.links.remembered("customer", "10001") is None
        context.fortnox.company_information()
        return Done()

    assert acme.run("e1", from_the_start) == "done"
    assert len(acme.sandbox.requests("other")) == len(before) + 1


def test_a_step_counts_in_the_ledger_that_it_was_taken_in_and_one_of_no_ledger_in_each() -> None:
    progress = {"created@1": "1", "posted@1": "?", "created@12": "?", "file": "1"}
    assert counting(progress, 1) == {"created": "1", "posted": "?", "file": "1"}
    assert counting(progress, 2) == {"file": "1"}
    assert counting(progress, None) == {"file": "1"}


def test_a_persons_word_about_what_is_in_one_ledger_is_not_said_of_another(acme: Unattended) -> None:
    """`--accept-existing`: the number is ours in that ledger. Then Fortnox does not serve, and the company moves."""
    for ledger in ("acme", "other"):
        acme.by_hand("customers", {"Customer": {"CustomerNumber": "10001", "Name": "Andersson Måleri"}}, ledger)
    acme.publish(customer_json())
    acme.run("e1")
    assert acme.event("e1").code == "HeldByAnother"
    acme.sandbox.fault("fail_next", status=503, path="/3/customers", body="html", tenant="acme")
    acme.command("events", "retry", "acme", "e1", "--accept-existing")
    acme.run("e1")
    acme.connect("moved", "other")

    acme.run("e1")

    assert acme.event("e1").code == "HeldByAnother"
    assert [one["Name"] for one in acme.sandbox.state("other")["customers"]] == ["Andersson Måleri"]
