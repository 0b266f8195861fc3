"""Supplier invoices: entered by people, read by clients."""

import base64
from typing import Any

import pytest

from tests.sandbox.sandbox_client import Ledger, code_of


def enter(ledger: Ledger, *rows: dict[str, Any], **more: Any) -> str:
    invoice = {"SupplierName": "Virke AB", "InvoiceNumber": "F-7", "InvoiceDate": "2026-11-02"}
    invoice |= {"SupplierInvoiceRows": list(rows)} | more.pop("invoice", {})
    answer = ledger.sandbox.control("supplierinvoices", tenant="acme", invoice=invoice, **more)
    return str(answer["GivenNumber"])


def listed(ledger: Ledger, **query: Any) -> list[str]:
    answer = ledger.get("/3/supplierinvoices", **query)
    assert answer.status_code == 200, answer.text
    return [one["GivenNumber"] for one in answer.json()["SupplierInvoices"]]


COST = {"Account": 4010, "Debit": "1000.00", "Project": "1"}


def test_the_payable_and_the_vat_row_are_added_and_amounts_are_text(acme: Ledger) -> None:
    number = enter(acme, COST, vat="250.00", booked=True)
    invoice = acme.get(f"/3/supplierinvoices/{number}").json()["SupplierInvoice"]
    rows = [(row["Code"], row["Account"], row["Debit"], row["Credit"]) for row in invoice["SupplierInvoiceRows"]]
    assert rows == [("TOT", 2440, 0, 1250), ("VAT", 2640, 250, 0), ("", 4010, 1000, 0)]
    assert (invoice["Total"], invoice["VAT"], invoice["CurrencyRate"]) == ("1250.00", "250.00", "1")
    assert invoice["Vouchers"] == [{"Number": 1, "ReferenceType": "SUPPLIERINVOICE", "Series": "D", "Year": 7}]


def test_the_list_and_the_single_invoice_spell_cancelled_differently(acme: Ledger) -> None:
    number = enter(acme, COST, cancelled=True, invoice={"AuthorizerName": "Eva"})
    item = acme.get("/3/supplierinvoices").json()["SupplierInvoices"][0]
    single = acme.get(f"/3/supplierinvoices/{number}").json()["SupplierInvoice"]
    assert (item["Cancel"], item["AuthorizerName"], "SupplierInvoiceRows" in item) == (True, "Eva", False)
    assert (single["Cancelled"], "AuthorizerName" in single, "Cancel" in single) == (True, False, False)


def test_pending_approval_is_a_filter(acme: Ledger) -> None:
    pending, approved = enter(acme, COST, approved=False), enter(acme, COST, booked=True)
    assert listed(acme, filter="authorizepending") == [pending]
    acme.sandbox.control(f"supplierinvoices/{pending}/approve", tenant="acme")
    assert listed(acme, filter="authorizepending") == []
    assert listed(acme, filter="unbooked") == [pending]
    acme.sandbox.control(f"supplierinvoices/{pending}/book", tenant="acme")
    assert listed(acme) == [pending, approved]


def test_a_cancelled_invoice_waits_for_nobody(acme: Ledger) -> None:
    number = enter(acme, COST, approved=False)
    acme.sandbox.control(f"supplierinvoices/{number}/cancel", tenant="acme")
    assert listed(acme, filter="authorizepending") == []
    assert listed(acme, filter="cancelled") == [number]


@pytest.mark.parametrize(("bumps", "found"), [(False, []), (True, ["1"])])
def test_whether_approval_renews_lastmodified_is_a_setting(sandbox: Any, bumps: bool, found: list[str]) -> None:
    sandbox.control("options", access_token_seconds=10**9)
    acme: Ledger = sandbox.connect("acme")
    acme.settings(attest_changes_lastmodified=bumps)
    sandbox.control("clock", now="2026-11-22T09:00:00+01:00")
    enter(acme, COST, approved=False)
    sandbox.control("clock", now="2026-11-22T10:00:00+01:00")
    sandbox.control("supplierinvoices/1/approve", tenant="acme")
    assert listed(acme, lastmodified="2026-11-22 09:30") == found
    sandbox.control("supplierinvoices/1/book", tenant="acme")
    assert listed(acme, lastmodified="2026-11-22 09:30") == ["1"]


def test_pages_are_sorted_by_number(acme: Ledger) -> None:
    for _ in range(12):
        enter(acme, COST)
    assert listed(acme, limit=3, page=4, sortby="givennumber") == ["10", "11", "12"]
    assert listed(acme, sortorder="descending", limit=2) == ["12", "11"]


@pytest.mark.parametrize("query", [{"fromdate": "2026-01-01"}, {"givennumber": "1"}])
def test_what_the_real_list_does_not_know_is_refused(acme: Ledger, query: dict[str, str]) -> None:
    assert code_of(acme.get("/3/supplierinvoices", **query)) == 2000588


def test_an_invoice_can_be_corrected_later(acme: Ledger) -> None:
    number = enter(acme, COST, vat="250.00", booked=True)
    enter(acme, {**COST, "Debit": "400"}, vat="100", invoice={"GivenNumber": number})
    invoice = acme.get(f"/3/supplierinvoices/{number}").json()["SupplierInvoice"]
    assert (invoice["Total"], invoice["Booked"], listed(acme)) == ("500", True, [number])


def test_a_credit_invoice_is_marked(acme: Ledger) -> None:
    number = enter(acme, {"Account": 4010, "Credit": "100"}, vat="-25")
    invoice = acme.get(f"/3/supplierinvoices/{number}").json()["SupplierInvoice"]
    assert (invoice["Credit"], invoice["Total"]) == (True, "-125")


def rows_of(ledger: Ledger, number: str) -> list[dict[str, Any]]:
    answer = ledger.get(f"/3/supplierinvoices/{number}")
    return list(answer.json()["SupplierInvoice"]["SupplierInvoiceRows"])


def test_an_article_row_may_say_its_amount_in_total_alone(acme: Ledger) -> None:
    acme.settings(article_rows_without_debit=True)
    number = enter(acme, {**COST, "ArticleNumber": "R-45", "Quantity": 10, "Price": "100.00"}, COST, vat="500.00")
    shown = [(row["Account"], row["Debit"], row["Credit"], row["Total"]) for row in rows_of(acme, number)]
    assert shown == [(2440, 0, 2500, 0), (2640, 500, 0, 0), (4010, 0, 0, 1000), (4010, 1000, 0, 0)]
    foreign = enter(acme, {**COST, "ArticleNumber": "R-45", "Debit": "11420.00", "DebitCurrency": "1000.00"})
    assert [(row["Debit"], row["Total"]) for row in rows_of(acme, foreign)] == [(0, 0), (0, 1000)]


def test_a_reverse_charge_purchase_is_booked_with_its_vat_and_perhaps_on_base_accounts(acme: Ledger) -> None:
    def booked(number: str) -> list[tuple[int, float]]:
        return [(row["Account"], row["Debit"] - row["Credit"]) for row in rows_of(acme, number)]

    vat = [(2440, -1000), (2645, 250), (2614, -250)]
    assert booked(enter(acme, COST, invoice={"VATType": "EUINTERNAL"})) == [*vat, (4010, 1000)]
    acme.settings(reverse_charge_bases=True)
    assert booked(enter(acme, COST, invoice={"VATType": "REVERSE"})) == [
        *vat,
        (4535, 1000),
        (4598, -1000),
        (4010, 1000),
    ]


def test_a_field_that_the_grant_may_not_read_says_so_in_the_list_the_invoice_and_its_rows(acme: Ledger) -> None:
    number = enter(acme, COST)
    acme.settings(hidden_fields=["Project", "Total"])
    (item,) = acme.get("/3/supplierinvoices").json()["SupplierInvoices"]
    single = acme.get(f"/3/supplierinvoices/{number}").json()["SupplierInvoice"]
    documents = [item, single, *single["SupplierInvoiceRows"]]
    assert {(one["Project"], one["Total"]) for one in documents} == {("API_NORIGHT", "API_NORIGHT")}
    assert single["GivenNumber"] == number


def test_files_of_a_supplier_invoice_are_listed_and_fetched(acme: Ledger) -> None:
    content = base64.b64encode(b"%PDF x").decode()
    number = enter(acme, COST, files=[{"name": "f.pdf", "content_base64": content}])
    path = "/3/supplierinvoicefileconnections"
    connection = acme.get(path, supplierinvoicenumber=number).json()["SupplierInvoiceFileConnections"][0]
    assert acme.get(f"/3/archive/{connection['FileId']}").content == b"%PDF x"
    assert acme.get(path, supplierinvoicenumber="9").json()["SupplierInvoiceFileConnections"] == []


def test_a_control_that_is_not_understood_changes_nothing(acme: Ledger) -> None:
    url = f"{acme.sandbox.fortnox}/_sandbox/supplierinvoices"
    answer = acme.sandbox.session.post(url, json={"tenant": "acme", "invoice": {"Colour": 1}})
    assert (answer.status_code, listed(acme)) == (400, [])
