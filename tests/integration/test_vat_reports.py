"""VAT that adds up and reports wrongly is told once, and what a customer's card lacks is set where Moment knows it."""

from typing import Any

import pytest

from messages import Message
from messages.catalogue import say
from tests.unattended import Unattended
from tests.unit.factories import a_line, customer_json, invoice_json

GERMAN = "DE123456788"
UNTAXED = {"lines": [a_line(vat_percentage="0")], "total_including_vat": "10000.00"}
TO_THE_EU = {"lines": [a_line(account_number="3308", vat_percentage="0")], "total_including_vat": "10000.00"}
EXPORT = {"lines": [a_line(account_number="3305", vat_percentage="0")], "total_including_vat": "10000.00"}


def customer(country: str, number: str | None, event_id: str = "abroad", **more: Any) -> dict[str, Any]:
    given = {"event_id": event_id, "customer_number": "20001", "organization_number": number}
    return customer_json(**given | more, address={"country_code": country})


def transferred(acme: Unattended, event: dict[str, Any]) -> Message:
    acme.publish(event)
    assert acme.run(event["id"]) == "done"
    return acme.event(event["id"]).reason


def billed(acme: Unattended, number: int = 1001, **invoice: Any) -> Message:
    """What a person is told of an invoice to customer 20001."""
    who = {"id": 1, "customerNumber": invoice.pop("to", "20001")}
    event = invoice_json(
        event_id=f"i{number}", id=number, invoice_number=number, customer=who, project=None, attachments=[], **invoice
    )
    return transferred(acme, event)


def card(acme: Unattended, number: str = "20001") -> dict[str, Any]:
    return next(one for one in acme.sandbox.state("acme")["customers"] if one["CustomerNumber"] == number)


def requests(acme: Unattended) -> list[str]:
    return [one for one in acme.sandbox.requests("acme") if " /oauth" not in one]


# The card


@pytest.mark.parametrize(
    ("country", "number", "sent"),
    [
        ("DE", GERMAN, GERMAN),
        ("DE", "de 123 456 788", GERMAN),
        ("FI", "0112038-9", "FI01120389"),  # the organisation number is the VAT number there
        ("GR", "EL094259216", "EL094259216"),
        ("DE", "123456788", ""),  # perhaps a number of the trade register
        ("DE", "DE123456789", ""),  # wrong check digit
        ("FR", GERMAN, ""),  # another country's
        ("NO", "995525828", ""),
        ("SE", "556677-8899", ""),
    ],
)
def test_a_business_in_the_eu_is_created_with_its_vat_number(
    acme: Unattended, country: str, number: str, sent: str
) -> None:
    assert transferred(acme, customer(country, number)) == Message("")
    found = card(acme)
    assert (found["VATNumber"], found["VATType"]) == (sent, "EUREVERSEDVAT" if sent else "SEVAT")
    assert requests(acme)[-1] == "POST /3/customers"


def test_an_update_sets_what_nobody_has_set(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    assert transferred(acme, customer("DE", GERMAN, "later")) == Message("")
    assert (card(acme)["VATNumber"], card(acme)["VATType"]) == (GERMAN, "EUREVERSEDVAT")
    before = len(requests(acme))
    transferred(acme, customer("DE", GERMAN, "unchanged"))
    transferred(acme, customer("DE", GERMAN, "renamed", name="Muster Bau AG"))
    assert requests(acme)[before:] == ["PUT /3/customers/20001"]


def test_a_number_that_is_corrected_in_moment_replaces_the_one_that_we_set(acme: Unattended) -> None:
    transferred(acme, customer("DE", GERMAN))
    transferred(acme, customer("DE", "DE136695976", "corrected"))
    assert (card(acme)["VATNumber"], card(acme)["VATType"]) == ("DE136695976", "EUREVERSEDVAT")
    acme.by_hand("customers/20001", {"Customer": {"VATNumber": "DE811569869"}}, method="PUT")
    transferred(acme, customer("DE", GERMAN, "back"))
    assert card(acme)["VATNumber"] == "DE811569869"  # a person's


def test_an_update_that_is_throttled_in_between_goes_on_where_it_stopped(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    acme.publish(customer("DE", GERMAN, "later"))
    for _ in range(2):
        acme.run("later", capacity=1)
    assert acme.event("later").status == "done"
    assert card(acme)["VATType"] == "EUREVERSEDVAT"


def test_what_a_person_has_set_by_hand_is_left(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    acme.by_hand("customers/20001", {"Customer": {"VATType": "EUVAT"}}, method="PUT")
    transferred(acme, customer("DE", GERMAN, "later"))
    assert (card(acme)["VATNumber"], card(acme)["VATType"]) == ("", "EUVAT")


def test_a_customer_whose_card_a_person_made_keeps_its_vat_type(acme: Unattended) -> None:
    given = {"CustomerNumber": "20001", "Name": "Skånska Bygg", "VATType": "EXPORT", "CountryCode": "DE"}
    acme.by_hand("customers", {"Customer": given})
    transferred(acme, customer("DE", GERMAN))
    assert (card(acme)["VATNumber"], card(acme)["VATType"]) == ("", "EXPORT")


@pytest.mark.parametrize("exists", [False, True])
def test_a_vat_number_that_fortnox_refuses_stops_nothing_and_is_told_once(acme: Unattended, exists: bool) -> None:
    if exists:
        transferred(acme, customer("DE", None))
    acme.sandbox.tenant("acme", vat_numbers_refused=True)
    told = transferred(acme, customer("DE", GERMAN, "later"))
    assert told.key == "vat.number-refused"
    assert GERMAN in say(told)
    assert (card(acme)["VATNumber"], card(acme)["VATType"]) == ("", "SEVAT")
    assert transferred(acme, customer("DE", GERMAN, "renamed", name="Muster Bau AG")) == Message("")


# The invoice


def test_zero_vat_on_an_account_for_taxable_sales_is_told_once_for_a_customer_in_sweden(acme: Unattended) -> None:
    told = billed(acme, to="10001", **UNTAXED)
    assert told == Message("vat.untaxed", account="3010", code="MP1", rate=told.params["rate"])
    assert "25 %" in say(told)
    assert billed(acme, 1002, to="10001", **UNTAXED) == Message("")
    assert acme.reported() == ["i1001"]


def test_zero_vat_on_an_account_without_vat_is_not_told(acme: Unattended) -> None:
    lines = [a_line(account_number="3044", vat_percentage="0")]
    assert billed(acme, to="10001", lines=lines, total_including_vat="10000.00") == Message("")


@pytest.mark.parametrize("rate", ["25", "12", "6"])
@pytest.mark.parametrize("account", ["3308", "3108", "3105", "3305"])
def test_swedish_vat_on_an_account_for_sales_abroad_is_told(acme: Unattended, account: str, rate: str) -> None:
    total = str(10000 + 100 * int(rate))
    lines = [a_line(account_number=account, vat_percentage=rate)]
    told = billed(acme, to="10001", lines=lines, total_including_vat=total)
    assert (told.key, told.params["account"]) == ("vat.taxed-abroad", account)


def test_a_business_in_the_eu_whose_card_lacks_the_vat_number_is_told_once(acme: Unattended) -> None:
    transferred(acme, customer("DE", "HRB 12345"))
    assert billed(acme, **TO_THE_EU) == Message("vat.eu-customer", customer="20001", country="DE")
    assert billed(acme, 1002, **TO_THE_EU) == Message("")


@pytest.mark.parametrize(
    "by_hand",
    [{"VATNumber": GERMAN}, {"VATType": "EUREVERSEDVAT"}, {"VATType": "EXPORT", "VATNumber": GERMAN}],
)
def test_type_and_number_are_both_needed(acme: Unattended, by_hand: dict[str, str]) -> None:
    transferred(acme, customer("DE", None))
    acme.by_hand("customers/20001", {"Customer": by_hand}, method="PUT")
    assert billed(acme, **TO_THE_EU).key == "vat.eu-customer"


def test_a_business_in_the_eu_whose_number_moment_knows_needs_no_remark_and_no_request(acme: Unattended) -> None:
    transferred(acme, customer("DE", GERMAN))
    before = len(requests(acme))
    assert billed(acme, **TO_THE_EU) == Message("")
    assert requests(acme)[before:] == ["POST /3/invoices", "PUT /3/invoices/1001/bookkeep"]


def test_what_a_person_has_set_right_since_is_not_told(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    right = {"VATNumber": GERMAN, "VATType": "EUREVERSEDVAT"}
    acme.by_hand("customers/20001", {"Customer": right}, method="PUT")
    assert billed(acme, **TO_THE_EU) == Message("")
    acme.sandbox.account("acme", 3010, vat_code="MF")
    assert billed(acme, 1002, to="10001", **UNTAXED) == Message("")


def test_an_export_customer_whose_card_says_sweden_is_told(acme: Unattended) -> None:
    transferred(acme, customer("NO", "995525828"))
    assert billed(acme, **EXPORT) == Message("vat.export-customer", customer="20001", country="NO")
    acme.by_hand("customers/20001", {"Customer": {"VATType": "EXPORT"}}, method="PUT")
    assert billed(acme, 1002, **EXPORT) == Message("")


def test_a_private_person_abroad_is_not_told_of(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    acme.by_hand("customers/20001", {"Customer": {"Type": "PRIVATE"}}, method="PUT")
    assert billed(acme, **TO_THE_EU) == Message("")


def test_swedish_vat_for_a_customer_abroad_is_no_matter_of_the_card(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    assert billed(acme) == Message("")


def test_an_account_opened_since_the_connection_costs_one_request_once(acme: Unattended) -> None:
    acme.sandbox.account("acme", 3399, vat_code="FTEU")
    lines = [a_line(account_number="3399")]
    before = len(requests(acme))
    assert billed(acme, to="10001", lines=lines).key == "vat.taxed-abroad"
    billed(acme, 1002, to="10001", lines=lines)
    assert requests(acme)[before:].count("GET /3/accounts/3399") == 1


def test_a_look_that_fortnox_refuses_stops_no_invoice(acme: Unattended) -> None:
    acme.sandbox.account("acme", 3399)
    acme.sandbox.tenant("acme", unlicensed_scopes=["bookkeeping"])
    assert billed(acme, to="10001", lines=[a_line(account_number="3399")]) == Message("")


def test_a_remark_is_told_again_by_the_event_that_told_it(acme: Unattended) -> None:
    """An attempt that dies before it is settled has told nobody."""
    acme.services.stores.vat("acme", acme.services.stores.connections.ledger("acme")).tell(
        "account/3010/untaxed", "i1001"
    )
    assert billed(acme, to="10001", **UNTAXED).key == "vat.untaxed"


# The check on connecting


def test_the_check_on_connecting_tells_what_would_be_reported_wrongly(acme: Unattended) -> None:
    transferred(acme, customer("DE", None))
    billed(acme, 1001, **TO_THE_EU)
    billed(acme, 1002, to="10001", **UNTAXED)
    billed(acme, 1003, to="10001", lines=[a_line(account_number="3305")])
    acme.connect("again")
    told = say(acme.event("again").reason)
    for part in ("3010 (MP1)", "3305 (ÖTEU)", "20001 (DE)", "EC sales list"):
        assert part in told
    right = {"VATNumber": GERMAN, "VATType": "EUREVERSEDVAT"}
    acme.by_hand("customers/20001", {"Customer": right}, method="PUT")
    acme.connect("once-more")
    assert "20001" not in say(acme.event("once-more").reason)
