"""What Moment owns on an invoice is said explicitly, so that the customer's card in Fortnox does not fill it in."""

from typing import Any

import pytest

from messages.catalogue import lines, say
from tests.unattended import Unattended
from tests.unit.factories import a_line, credit_note_json, invoice_json, project_json

INVOICES = "POST /3/invoices"
CARD = {
    "InvoiceDiscount": 10,
    "Project": "1",
    "CostCenter": "MA",
    "OurReference": "Old Name",
    "YourReference": "Older Name",
    "InvoiceRemark": "Old text",
    "TermsOfPayment": "10",
    "TermsOfDelivery": "FVL",
    "WayOfDelivery": "B",
    "PriceList": "B",
    "Currency": "EUR",
    "ShowPriceVATIncluded": True,
    "InvoiceAdministrationFee": "29",
    "InvoiceFreight": "95",
}
NULLS: dict[str, Any] = {"project": None, "description": None, "your_reference": None, "their_reference": None}
OWNED = ("Project", "CostCenter", "OurReference", "YourReference", "Remarks")


def in_fortnox(acme: Unattended, number: int) -> dict[str, Any]:
    return next(one for one in acme.sandbox.state("acme")["invoices"] if one["DocumentNumber"] == str(number))


def owned(invoice: dict[str, Any]) -> dict[str, Any]:
    return {name: invoice[name] for name in OWNED}


def creates(acme: Unattended) -> int:
    return acme.sandbox.requests("acme").count(INVOICES)


@pytest.fixture
def carded(acme: Unattended) -> Unattended:
    """Customer 10001, whose card says something of everything."""
    acme.sandbox.post("registers", {"tenant": "acme", "cost_centers": ["MA"]})
    acme.sandbox.post("projects", {"tenant": "acme", "number": "1", "StartDate": "2026-01-01"})
    acme.sandbox.customer("acme", "10001", **CARD)
    return acme


@pytest.mark.parametrize("event", [invoice_json(**NULLS, attachments=[]), credit_note_json(**NULLS)], ids=["e3", "e5"])
def test_a_null_of_moments_is_empty_in_fortnox_whatever_the_card_says(
    carded: Unattended, event: dict[str, Any]
) -> None:
    event["invoice"]["creditedInvoiceNumber"] = None
    carded.publish(event)
    assert carded.run(event["id"]) == "done"
    invoice = in_fortnox(carded, event["invoice"]["invoiceNumber"])
    assert owned(invoice) == dict.fromkeys(OWNED, "")
    assert [(row["Discount"], row["Project"], row["CostCenter"]) for row in invoice["InvoiceRows"]] == [(0, "", "")]
    assert abs(invoice["Total"]) == 12500
    assert (invoice["Booked"], invoice["Currency"], invoice["VATIncluded"]) == (True, "SEK", False)
    assert (invoice["Freight"], invoice["AdministrationFee"]) == (0, 0)
    assert not carded.event(event["id"]).reason
    assert creates(carded) == 1


def test_what_moment_says_stands_and_what_it_does_not_own_is_the_cards(carded: Unattended) -> None:
    carded.publish(project_json(project_number="2", event_id="p2"))
    carded.run("p2")
    carded.publish(invoice_json(project={"id": 2, "projectNumber": "2"}, attachments=[]))
    assert carded.run("e3") == "done"
    invoice = in_fortnox(carded, 1001)
    assert owned(invoice) == {
        "Project": "2",
        "CostCenter": "",
        "OurReference": "Anna Ek",
        "YourReference": "Bo Lind",
        "Remarks": "November",
    }
    assert (invoice["DueDate"], invoice["TermsOfPayment"]) == ("2026-12-20", "10")
    assert (invoice["TermsOfDelivery"], invoice["WayOfDelivery"], invoice["PriceList"]) == ("FVL", "B", "B")
    assert not carded.event("e3").reason


def test_an_account_with_a_project_of_its_own_does_not_decide_the_rows(carded: Unattended) -> None:
    carded.sandbox.account("acme", 3010, project="1", cost_center="MA")
    carded.publish(invoice_json(**NULLS, attachments=[]))
    assert carded.run("e3") == "done"
    (row,) = in_fortnox(carded, 1001)["InvoiceRows"]
    assert (row["Project"], row["CostCenter"]) == ("", "MA")
    assert lines(carded.event("e3").reason)[1:] == ["Cost centre: MA in Fortnox, nothing in Moment"]


@pytest.mark.parametrize("how", ["refused", "ignored", "literal"])
def test_where_a_field_cannot_be_emptied_on_create_the_difference_is_told(carded: Unattended, how: str) -> None:
    carded.sandbox.tenant("acme", blank_on_create=how)
    carded.sandbox.customer("acme", "10001", Project="API_BLANK")
    carded.publish(invoice_json(**NULLS, attachments=[]))
    assert carded.run("e3") == "done"
    invoice = in_fortnox(carded, 1001)
    assert (invoice["Booked"], invoice["CostCenter"], invoice["Remarks"]) == (True, "MA", "Old text")
    assert lines(carded.event("e3").reason) == [
        "Invoice 1001 is posted, but differs from Moment:",
        "Cost centre: MA in Fortnox, nothing in Moment",
        "Our reference: Old Name in Fortnox, nothing in Moment",
        "Your reference: Older Name in Fortnox, nothing in Moment",
        "Invoice text: Old text in Fortnox, nothing in Moment",
    ]
    assert carded.reported() == ["e3"]


def test_that_fortnox_refuses_blanks_is_found_out_once_for_a_company(carded: Unattended) -> None:
    carded.sandbox.tenant("acme", blank_on_create="refused")
    for name in ("Project", "CostCenter", "OurReference", "YourReference", "InvoiceRemark"):
        carded.sandbox.customer("acme", "10001", **{name: "API_BLANK"})
    for number in (1001, 1003, 1004):
        carded.publish(invoice_json(event_id=f"e{number}", id=number, invoice_number=number, **NULLS, attachments=[]))
        assert carded.run(f"e{number}") == "done"
        assert not carded.event(f"e{number}").reason
    assert creates(carded) == 4


def test_an_invoice_that_the_card_puts_on_a_project_is_not_posted(carded: Unattended) -> None:
    carded.sandbox.tenant("acme", blank_on_create="refused")
    carded.publish(invoice_json(**NULLS, attachments=[]))
    carded.run("e3")
    assert carded.event("e3").code == "NotAsBilled"
    assert "Project: 1 in Fortnox, nothing in Moment" in lines(carded.event("e3").reason)
    assert not in_fortnox(carded, 1001)["Booked"]


def test_a_missing_project_of_a_row_is_told_as_such_beside_a_project_that_is_to_be_emptied(carded: Unattended) -> None:
    line = a_line(project={"id": 9, "projectNumber": "9"})
    carded.publish(invoice_json(**NULLS | {"lines": [line]}, attachments=[]))
    carded.run("e3")
    assert carded.event("e3").code.startswith("project-unknown")
    assert creates(carded) == 2


def test_a_blank_project_that_is_looked_for_in_the_register_stops_no_invoice_whose_rows_have_one(
    carded: Unattended,
) -> None:
    carded.sandbox.customer("acme", "10001", Project="API_BLANK")
    carded.sandbox.tenant("acme", blank_on_create="literal")
    line = a_line(project={"id": 1, "projectNumber": "1"})
    carded.publish(invoice_json(**NULLS | {"lines": [line]}, attachments=[]))
    assert carded.run("e3") == "done"
    assert [row["Project"] for row in in_fortnox(carded, 1001)["InvoiceRows"]] == ["1"]


def test_a_row_of_text_is_no_difference(carded: Unattended) -> None:
    carded.sandbox.tenant("acme", text_row="Tack för er beställning")
    carded.publish(invoice_json(attachments=[]))
    assert carded.run("e3") == "done"
    assert len(in_fortnox(carded, 1001)["InvoiceRows"]) == 2
    assert in_fortnox(carded, 1001)["Booked"]
    assert not say(carded.event("e3").reason)


def test_where_an_account_demands_a_cost_centre_a_person_gives_the_invoice_one(carded: Unattended) -> None:
    carded.sandbox.account("acme", 3010, cost_center_settings="MANDATORY")
    carded.publish(invoice_json(attachments=[]))
    carded.run("e3")
    assert carded.event("e3").code == "cost-centre 2999013"
    carded.by_hand("invoices/1001", {"Invoice": {"CostCenter": "MA"}}, method="PUT")
    assert carded.run("e3") == "done"
    assert in_fortnox(carded, 1001)["Booked"]
    assert lines(carded.event("e3").reason)[1:] == ["Cost centre: MA in Fortnox, nothing in Moment"]
