"""A refused change of a customer or project that is in Fortnox stops neither its other changes nor its invoices."""

import json
from typing import Any

import pytest

from messages.catalogue import say
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json, project_json

LOCKED = {"OrganisationNumber": "Organisationsnumret kan inte ändras när kunden har en aktiv e-fakturakoppling."}
PUT = "PUT /3/customers/10001"
EMPTY_NAME = "Kundnamn kan inte vara tomt."


def customer(acme: Unattended, number: str = "10001") -> dict[str, Any]:
    return next(one for one in acme.sandbox.state("acme")["customers"] if one["CustomerNumber"] == number)


def changed(event_id: str = "e1b", **fields: Any) -> dict[str, Any]:
    return customer_json(event_id=event_id, **fields)


def goes_on(acme: Unattended, **fields: Any) -> None:
    """An invoice goes through, although the update before it was refused."""
    acme.publish(invoice_json(attachments=[], **({"project": None} | fields)))
    assert acme.run("e3") == "done"
    assert acme.event("e3").status == "done"


def test_a_locked_organisation_number_that_did_not_change_is_not_sent(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", refused_on_update=LOCKED)
    acme.publish(changed(email="ny@skanskabygg.example"))
    assert acme.run("e1b") == "done"
    assert not acme.event("e1b").reason
    assert customer(acme)["Email"] == "ny@skanskabygg.example"
    assert acme.sandbox.requests("acme").count(PUT) == 1
    goes_on(acme)


def test_a_refused_field_is_left_out_and_told_and_a_retry_sends_it(acme: Unattended) -> None:
    before = customer(acme)["OrganisationNumber"]
    acme.sandbox.tenant("acme", refused_on_update=LOCKED)
    acme.publish(changed(email="ny@skanskabygg.example", organization_number="556016-0680"))
    assert acme.run("e1b") == "done"
    assert (customer(acme)["Email"], customer(acme)["OrganisationNumber"]) == ("ny@skanskabygg.example", before)
    event = acme.event("e1b")
    for words in ("organisation number", "556016-0680", LOCKED["OrganisationNumber"]):
        assert words in say(event.reason)
    assert "moment-fortnox events retry acme e1b" in say(event.remedy)
    assert acme.reported() == ["e1b"]
    goes_on(acme)

    acme.sandbox.tenant("acme", refused_on_update={})
    assert acme.run("e1b") == "done"
    assert customer(acme)["OrganisationNumber"] == "556016-0680"
    assert not acme.event("e1b").reason


@pytest.mark.parametrize("capacity", [None, 1])
def test_a_refusal_that_names_no_field_costs_a_request_for_each(acme: Unattended, capacity: int | None) -> None:
    words = dict.fromkeys(("City", "ZipCode"), "Uppgiften kan inte ändras.")
    acme.sandbox.tenant("acme", refused_on_update=words)
    address = {"address1": "Storgatan 2", "address2": None, "zipCode": "222 22", "city": "Lund", "countryCode": "SE"}
    acme.publish(changed(address=address))
    for _ in range(8):
        acme.run("e1b", capacity=capacity)
        if acme.event("e1b").status == "done":
            break
    assert acme.event("e1b").status == "done"
    assert customer(acme)["Address1"] == "Storgatan 2"
    assert {"postal code", "city"} == {say(part.params["field"]) for part in acme.event("e1b").reason.parts}  # type: ignore[arg-type]
    assert acme.sandbox.requests("acme").count(PUT) == 1 + 3
    goes_on(acme)


def test_a_refusal_of_a_field_that_was_not_sent_is_told_and_holds_up_nobody(acme: Unattended) -> None:
    words = 'Inköpskonto inte uppdaterat. Kontot "4000" existerar inte. (PurchaseAccount)'
    acme.sandbox.tenant("acme", refused_on_update={"Name": words})  # which goes with every update
    acme.publish(changed(email="ny@skanskabygg.example", organization_number="556016-0680"))
    assert acme.run("e1b") == "done"
    assert acme.sandbox.requests("acme").count(PUT) == 1
    assert len(acme.event("e1b").reason.parts) == 2
    goes_on(acme)


def test_a_field_that_cannot_be_emptied_is_told_as_that(acme: Unattended) -> None:
    acme.sandbox.tenant("acme", refused_on_update={"Email": "Värdet tolkas som null"})
    acme.publish(changed(email=None))
    assert acme.run("e1b") == "done"
    assert acme.event("e1b").reason.key == "snapshot.field-not-emptied"
    goes_on(acme)


@pytest.mark.parametrize(
    "words", [EMPTY_NAME, "Customer name cannot be empty.", "Kundnummer 10001 har redan använts men blivit raderat."]
)
def test_a_code_with_several_meanings_never_says_that_a_customer_who_is_there_was_deleted(
    acme: Unattended, words: str
) -> None:
    fault = {"kind": "fail_next", "status": 400, "code": 2000637, "message": words, "method": "PUT", "count": 2}
    acme.sandbox.post("faults", fault | {"path": "/3/customers"})
    acme.publish(changed(email="ny@skanskabygg.example"))
    assert acme.run("e1b") == "done"
    told = acme.event("e1b")
    assert "new number" not in say(told.reason) + say(told.remedy)
    acme.sandbox.delete("faults")
    goes_on(acme)


@pytest.mark.parametrize("words", [EMPTY_NAME, "Customer name cannot be empty.", ""])
def test_a_new_customer_that_is_refused_holds_its_invoices_and_keeps_its_number(acme: Unattended, words: str) -> None:
    fault = {"kind": "fail_next", "status": 400, "code": 2000637, "message": words, "method": "POST", "count": 9}
    acme.sandbox.post("faults", fault | {"path": "/3/customers"})
    new = {"id": 7, "customerNumber": "10002"}
    acme.publish(customer_json(event_id="new", customer_number="10002"), invoice_json(customer=new, project=None))
    acme.run("new")
    assert acme.event("new").status == "failed"
    assert "new number" not in say(acme.event("new").remedy)
    assert acme.event("e3").status == "held"


def test_a_number_of_a_deleted_customer_is_told_as_such(acme: Unattended) -> None:
    acme.sandbox.delete("customers/10001?tenant=acme")
    acme.publish(changed(email="ny@skanskabygg.example"))
    acme.run("e1b")
    assert acme.event("e1b").code == "customer-deleted 2000637"


def test_a_refused_status_of_a_project_stops_neither_its_dates_nor_its_invoices(acme: Unattended) -> None:
    acme.publish(project_json())
    assert acme.run("e2") == "done"
    acme.sandbox.tenant("acme", refused_on_update={"Status": "Projektet är avslutat och kan inte ändras."})
    acme.publish(project_json(event_id="e2b", end_date="2028-01-31", project_state="completed"))
    assert acme.run("e2b") == "done"
    assert "status" in say(acme.event("e2b").reason)
    project = acme.sandbox.state("acme")["projects"][0]
    assert (project["EndDate"], project["Status"]) == ("2028-01-31", "ONGOING")
    goes_on(acme, project={"id": 62788980, "projectNumber": "1"})


def test_what_fortnox_already_has_is_not_sent_when_a_customer_is_taken_over(acme: Unattended) -> None:
    number = customer(acme)["OrganisationNumber"]
    acme.by_hand("customers", {"Customer": {"CustomerNumber": "10002", "Name": "Ny AB", "OrganisationNumber": number}})
    acme.sandbox.tenant("acme", refused_on_update=LOCKED)
    acme.publish(customer_json(event_id="other", customer_number="10002", name="Ny AB", organization_number=number))
    assert acme.run("other") == "done"
    assert not acme.event("other").reason
    assert json.dumps(customer(acme, "10002")).count("Storgatan 1")
