"""What the ledger refuses, one line for each rule."""

import json
from typing import Any

import pytest

from tests.sandbox.sandbox_client import JSON, Ledger, a_row, code_of

BLANK = "API_BLANK"
UNKNOWN_FIELD, TOO_LONG, BAD_CHARACTER = 2001399, 2000107, 2000359
NOT_TEXT, NOT_NUMBER, NOT_BOOLEAN, MISSING = 2000106, 2000108, 2000134, 2001795


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("Colour", "red", UNKNOWN_FIELD),
        ("@url", "x", UNKNOWN_FIELD),
        ("Country", "Sverige", UNKNOWN_FIELD),
        ("Phone", "040", UNKNOWN_FIELD),
        ("Name", None, MISSING),
        ("Name", "", MISSING),
        ("Name", BLANK, MISSING),
        ("Name", "n" * 1025, TOO_LONG),
        ("ZipCode", "1" * 11, TOO_LONG),
        ("OurReference", "n" * 51, TOO_LONG),
        ("WWW", "w" * 129, TOO_LONG),
        ("GLN", "123", TOO_LONG),
        ("Name", 'Say "hi"', BAD_CHARACTER),
        ("Name", "It's", BAD_CHARACTER),
        ("Name", "<b>", BAD_CHARACTER),
        ("Name", "a|b", BAD_CHARACTER),
        ("Name", "{a}", BAD_CHARACTER),
        ("Name", "[a]", BAD_CHARACTER),
        ("Name", "a~b", BAD_CHARACTER),
        ("Name", "a\tb", BAD_CHARACTER),
        ("Name", "Bra \N{GRINNING FACE}", BAD_CHARACTER),
        ("Name", 7, NOT_TEXT),
        ("Active", "true", NOT_BOOLEAN),
        ("InvoiceDiscount", "ten", NOT_NUMBER),
        ("CustomerNumber", "a b", NOT_TEXT),
        ("CustomerNumber", "a.b", NOT_TEXT),
        ("Currency", "XXX", 2000427),
        ("VATNumber", "SE123", 2004194),
        ("VATNumber", "12345678", 2004194),
        ("TermsOfPayment", "31", 2000429),
        ("SalesAccount", 3999 - 10, 2001304),
        ("Project", "404", 2001161),
        ("CountryCode", "SWE", 2999006),
        ("CountryCode", "XX", 2999006),
        ("CountryCode", "se", 2999006),
        ("Type", "PERSON", 2999004),
        ("DefaultDeliveryTypes", {"Invoice": "PIGEON"}, 2999004),
        ("DefaultTemplates", {"MailContent": "x"}, UNKNOWN_FIELD),
    ],
)
def test_a_customer_is_refused(acme: Ledger, field: str, value: Any, code: int) -> None:
    answer = acme.customer(**{field: value})
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert acme.state()["customers"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", "Åkes Bygg & Måleri AB \N{EN DASH} Łódź, Çelik (50 %) €/$ @ ½ +-*_!? \u2019 \\"),
        ("Name", "n" * 1024),
        ("Name", "line\r\nline"),
        ("Email", "a.b+c@exempel.se"),
        ("OrganisationNumber", "123456789"),
        ("VATNumber", "SE556677889901"),
        ("VATNumber", "DE123456789"),
        ("SalesAccount", "3010"),
        ("InvoiceFreight", 25.5),
        ("CountryCode", "NO"),
    ],
)
def test_a_customer_is_taken_as_given(acme: Ledger, field: str, value: Any) -> None:
    answer = acme.customer(**{field: value})
    assert answer.status_code == 201, answer.text
    shown = acme.get("/3/customers/10001").json()["Customer"][field]
    assert str(shown) == str(value)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("Name", "Hus", UNKNOWN_FIELD),
        ("Description", None, MISSING),
        ("Description", "d" * 51, TOO_LONG),
        ("ProjectNumber", "1" * 21, TOO_LONG),
        ("ProjectNumber", "a b", NOT_TEXT),
        ("Comments", "c" * 513, TOO_LONG),
        ("Status", "CLOSED", 2999004),
        ("StartDate", "2026-02-30", 2999005),
        ("StartDate", "20260201", 2999005),
        ("EndDate", "2026-01-01T00:00:00", 2999005),
    ],
)
def test_a_project_is_refused(acme: Ledger, field: str, value: Any, code: int) -> None:
    answer = acme.project(**{field: value})
    assert (answer.status_code, code_of(answer)) == (400, code)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"CustomerNumber": "404"}, 2000204),
        ({"CustomerNumber": None}, 2000204),
        ({"Project": "404"}, 2001161),
        ({"Currency": "XXX"}, 2000427),
        ({"TermsOfPayment": "31"}, 2000429),
        ({"Booked": True}, UNKNOWN_FIELD),
        ({"Sent": True}, UNKNOWN_FIELD),
        ({"Total": 1}, UNKNOWN_FIELD),
        ({"RoundOff": 1}, UNKNOWN_FIELD),
        ({"InvoiceReference": "1"}, UNKNOWN_FIELD),
        ({"OurReference": "n" * 51}, TOO_LONG),
        ({"Remarks": "n" * 1025}, TOO_LONG),
        ({"YourOrderNumber": "n" * 76}, TOO_LONG),
        ({"ExternalInvoiceReference1": "n" * 81}, TOO_LONG),
        ({"Remarks": "a ~ b"}, BAD_CHARACTER),
        ({"DocumentNumber": "F-1"}, NOT_NUMBER),
        ({"OCR": "12a"}, NOT_NUMBER),
        ({"CurrencyRate": "1.0"}, NOT_NUMBER),
        ({"Freight": 10**12}, TOO_LONG),
        ({"VATIncluded": "false"}, NOT_BOOLEAN),
        ({"InvoiceDate": "20-11-2026"}, 2999005),
        ({"InvoiceType": "BILL"}, 2999004),
        ({"InvoiceRows": {}}, 2001392),
        ({"InvoiceRows": ["row"]}, 2001392),
        ({"CreditInvoiceReference": "404"}, 2000434),
    ],
)
def test_an_invoice_is_refused(shop: Ledger, more: dict[str, Any], code: int) -> None:
    answer = shop.invoice(**more)
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert shop.state()["invoices"] == []


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"Total": 1}, UNKNOWN_FIELD),
        ({"PriceExcludingVAT": 1}, UNKNOWN_FIELD),
        ({"Description": "d" * 256}, TOO_LONG),
        ({"Description": "a\tb"}, BAD_CHARACTER),
        ({"AccountNumber": 3333}, 2001304),
        ({"AccountNumber": 999}, 2002462),
        ({"AccountNumber": "3010"}, NOT_NUMBER),
        ({"AccountNumber": 3010.5}, NOT_NUMBER),
        ({"Price": "100"}, NOT_NUMBER),
        ({"DeliveredQuantity": "one"}, NOT_NUMBER),
        ({"DeliveredQuantity": "NaN"}, NOT_NUMBER),
        ({"VAT": 24}, 2999007),
        ({"Unit": "furlong"}, 2000432),
        ({"ArticleNumber": "404"}, 2001302),
        ({"Project": "404"}, 2001161),
        ({"HouseWork": 1}, NOT_BOOLEAN),
        ({"RowId": 99, "Price": True}, NOT_NUMBER),
    ],
)
def test_an_invoice_row_is_refused(shop: Ledger, row: dict[str, Any], code: int) -> None:
    answer = shop.invoice("1001", a_row(**row))
    assert (answer.status_code, code_of(answer)) == (400, code)


def test_more_rows_than_allowed_are_refused(shop: Ledger) -> None:
    assert shop.invoice("1", *[a_row()] * 500).status_code == 201
    assert code_of(shop.invoice("2", *[a_row()] * 501)) == 2999012


def test_an_inactive_account_is_refused(shop: Ledger) -> None:
    shop.sandbox.control("accounts", tenant="acme", number=3010, active=False)
    assert code_of(shop.invoice()) == 2000550


def test_the_description_limit_is_a_setting(shop: Ledger) -> None:
    shop.settings(row_description_max=50)
    assert code_of(shop.invoice("1001", a_row(Description="d" * 51))) == TOO_LONG
    assert shop.invoice("1001", a_row(Description="d" * 50)).status_code == 201


def test_the_vat_rates_are_the_companys(shop: Ledger) -> None:
    shop.settings(vat_rates=["25", "0"])
    assert code_of(shop.invoice("1001", a_row(VAT=12))) == 2999007


def test_easy_vat_wants_account_and_rate_to_agree(shop: Ledger) -> None:
    shop.settings(easy_vat=True)
    assert code_of(shop.invoice("1001", a_row(VAT=12))) == 2004052
    assert code_of(shop.invoice("1001", a_row(VAT=7, AccountNumber=None))) == 2004167


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 2002115),
        (b"{", 2002115),
        (b'{"Customer": {"Name": NaN}}', 2002115),
        (b"[]", 2001392),
        (b"{}", 2001392),
        (b'{"Name": "x"}', 2001392),
        (b'{"customer": {"Name": "x"}}', 2001392),
        (b'{"Customer": [{"Name": "x"}]}', 2001392),
        (b'{"Customer": {"Name": "x"}, "Extra": {}}', 2001392),
    ],
)
def test_a_body_without_its_envelope_is_refused(acme: Ledger, body: bytes, code: int) -> None:
    answer = acme.request("POST", "/3/customers", data=body, headers=JSON)
    assert (answer.status_code, code_of(answer)) == (400, code)


def test_a_wrong_content_type_or_accept_is_refused(shop: Ledger) -> None:
    body = json.dumps({"Customer": {"Name": "x"}})
    wrong_type = shop.request("POST", "/3/customers", data=body, headers={"Content-Type": "text/plain"})
    wrong_accept = shop.request("GET", "/3/customers", headers={"Accept": "application/pdf"})
    no_type = shop.request("PUT", "/3/invoices/1/bookkeep")
    assert [code_of(a) for a in (wrong_type, wrong_accept, no_type)] == [1000031, 1000030, 1000031]


def test_an_action_with_a_body_is_refused(shop: Ledger) -> None:
    shop.invoice()
    answer = shop.put("/3/invoices/1001/bookkeep", {})
    assert (answer.status_code, code_of(answer)) == (400, 2001392)
    assert shop.act("1001", "bookkeep").status_code == 200


def test_an_unknown_path_answers_with_a_page(acme: Ledger) -> None:
    answer = acme.get("/3/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")
    assert acme.delete("/3/invoices").status_code == 405


class TestAPutChangesOnlyWhatIsSent:
    @pytest.mark.parametrize(("sent", "kept"), [("", "Malmö"), (None, "Malmö"), (BLANK, ""), ("Lund", "Lund")])
    def test_empty_and_null_change_nothing_and_api_blank_empties(
        self, acme: Ledger, sent: str | None, kept: str
    ) -> None:
        acme.customer(City="Malmö", Address1="Storgatan 1")
        answer = acme.put("/3/customers/10001", {"Customer": {"City": sent}})
        assert answer.status_code == 200
        customer = acme.get("/3/customers/10001").json()["Customer"]
        assert (customer["City"], customer["Address1"]) == (kept, "Storgatan 1")

    def test_a_date_can_be_emptied(self, acme: Ledger) -> None:
        acme.project(EndDate="2026-12-31")
        answer = acme.put("/3/projects/1", {"Project": {"EndDate": BLANK}})
        assert answer.json()["Project"]["EndDate"] is None

    def test_a_required_field_cannot_be_emptied(self, acme: Ledger) -> None:
        acme.customer()
        acme.project()
        assert code_of(acme.put("/3/customers/10001", {"Customer": {"Name": BLANK}})) == MISSING
        assert code_of(acme.put("/3/projects/1", {"Project": {"Description": BLANK}})) == MISSING

    def test_numbers_are_fixed(self, acme: Ledger) -> None:
        acme.customer()
        acme.project()
        assert code_of(acme.put("/3/customers/10001", {"Customer": {"CustomerNumber": "2"}})) == 2999011
        assert code_of(acme.put("/3/projects/1", {"Project": {"ProjectNumber": "2"}})) == 2999011
        assert acme.put("/3/projects/1", {"Project": {"ProjectNumber": "1"}}).status_code == 200


def test_the_number_of_a_live_or_deleted_customer_is_taken(acme: Ledger) -> None:
    acme.customer()
    assert code_of(acme.customer()) == 2000637
    assert acme.delete("/3/customers/10001").status_code == 204
    answer = acme.customer()
    assert code_of(answer) == 2000637
    assert "raderat" in answer.json()["ErrorInformation"]["Message"]
    assert acme.get("/3/customers/10001").status_code == 404


def test_a_field_that_cannot_be_changed_refuses_the_whole_update(acme: Ledger) -> None:
    acme.customer()
    acme.project()
    acme.settings(refused_on_update={"OrganisationNumber": "Låst.", "Status": "Avslutat."})
    locked = acme.put("/3/customers/10001", {"Customer": {"Email": "a@b.example", "OrganisationNumber": "1"}})
    assert (code_of(locked), locked.json()["ErrorInformation"]["Message"]) == (2999030, "Låst.")
    assert acme.get("/3/customers/10001").json()["Customer"]["Email"] != "a@b.example"
    assert acme.put("/3/customers/10001", {"Customer": {"Email": "a@b.example"}}).status_code == 200
    assert code_of(acme.put("/3/projects/1", {"Project": {"Status": "COMPLETED"}})) == 2999030


def test_a_project_number_is_taken_once(acme: Ledger) -> None:
    acme.project()
    answer = acme.project()
    assert (answer.status_code, code_of(answer)) == (400, 2999003)


def test_what_is_missing_answers_404_with_its_own_code(acme: Ledger) -> None:
    paths = ("customers", "projects", "invoices", "accounts", "currencies")
    answers = [acme.get(f"/3/{path}/404") for path in paths]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert [code_of(answer) for answer in answers] == [2000433, 2001161, 2000434, 2000423, 2000427]
    assert set(answers[0].json()["ErrorInformation"]) == {"Error", "Message", "Code"}


def test_numbers_left_out_are_the_next_of_the_series(acme: Ledger) -> None:
    acme.customer("7")
    body = {"Customer": {"Name": "Next"}}
    assert acme.post("/3/customers", body).json()["Customer"]["CustomerNumber"] == "8"


@pytest.mark.parametrize(
    ("setting", "path", "status", "code"),
    [
        ({"api_licence": False}, "/3/customers", 403, 2001103),
        ({"unlicensed_scopes": ["invoice"]}, "/3/invoices", 403, 2001101),
        ({"project_module": False}, "/3/projects", 403, 2999015),
    ],
)
def test_licences_and_modules_can_be_missing(
    acme: Ledger, setting: dict[str, Any], path: str, status: int, code: int
) -> None:
    acme.settings(**setting)
    answer = acme.get(path)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_a_users_own_rights_bind_an_ordinary_grant_but_not_a_service_account(acme: Ledger) -> None:
    acme.settings(denied_resources=["projects"])
    ordinary = acme.sandbox.connect("acme", service=False)
    assert ordinary.get("/3/projects").status_code == 403
    assert acme.get("/3/projects").status_code == 200
