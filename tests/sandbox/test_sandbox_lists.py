"""Lists: parameters, substring filters, pages, `lastmodified`, and the registers a client reads."""

from typing import Any

import pytest

from tests.sandbox.sandbox_client import Ledger, code_of


def numbers(ledger: Ledger, path: str = "customers", **query: Any) -> list[str]:
    answer = ledger.get(f"/3/{path}", **query)
    assert answer.status_code == 200, answer.text
    (rows,) = (value for name, value in answer.json().items() if name != "MetaInformation")
    key = {"customers": "CustomerNumber", "projects": "ProjectNumber", "invoices": "DocumentNumber"}[path]
    return [row[key] for row in rows]


def test_text_filters_match_anywhere_and_in_any_case(acme: Ledger) -> None:
    acme.customer("1", Name="Bygg AB", OrganisationNumber="556677-8899")
    acme.customer("10", Name="Ombyggnad HB")
    acme.customer("21", Name="Måleri")
    assert numbers(acme, customernumber="1") == ["1", "10", "21"]
    assert numbers(acme, name="BYGG") == ["1", "10"]
    assert numbers(acme, organisationnumber="6677") == ["1"]
    assert numbers(acme, name="bygg", customernumber="10") == ["10"]


def test_invoices_are_found_by_number_and_reference(shop: Ledger) -> None:
    shop.invoice("100", ExternalInvoiceReference1="moment-100")
    shop.invoice("1001", ExternalInvoiceReference1="moment-1001")
    assert numbers(shop, "invoices", documentnumber="100") == ["100", "1001"]
    assert numbers(shop, "invoices", externalinvoicereference1="moment-1001") == ["1001"]
    assert numbers(shop, "invoices", sortby="documentnumber", sortorder="descending") == ["1001", "100"]


def test_named_filters(shop: Ledger) -> None:
    for number in ("1", "2", "3"):
        shop.invoice(number)
    shop.act("2", "bookkeep")
    shop.act("3", "cancel")
    assert numbers(shop, "invoices", filter="unbooked") == ["1"]
    assert numbers(shop, "invoices", filter="unpaid") == ["2"]
    assert numbers(shop, "invoices", filter="cancelled") == ["3"]


def test_pages(acme: Ledger) -> None:
    for number in range(100, 107):
        acme.customer(str(number))
    page = acme.get("/3/customers", limit=3, page=3).json()
    meta = {"@TotalResources": 7, "@TotalPages": 3, "@CurrentPage": 3}
    assert (page["MetaInformation"], len(page["Customers"])) == (meta, 1)
    assert numbers(acme, limit=2, offset=4) == ["104", "105"]
    empty = acme.get("/3/projects").json()["MetaInformation"]
    assert empty == {"@TotalResources": 0, "@TotalPages": 0, "@CurrentPage": 1}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"colour": "red"}, 2000588),
        ({"CustomerNumber": "1"}, 2000588),
        ({"fromdate": "2026-01-01"}, 2000588),
        ({"limit": "501"}, 2000588),
        ({"limit": "0"}, 2000588),
        ({"page": "0"}, 2000588),
        ({"sortby": "colour"}, 2000588),
        ({"sortorder": "up"}, 2000588),
        ({"lastmodified": "yesterday"}, 2000588),
        ({"lastmodified": "2026-11-22T09:00"}, 2000588),
        ({"filter": "red"}, 2000587),
        ({"filter": ["active", "inactive"]}, 2000587),
    ],
)
def test_a_wrong_parameter_is_refused_in_lower_case(acme: Ledger, query: dict[str, Any], code: int) -> None:
    answer = acme.get("/3/customers", **query)
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert set(answer.json()["ErrorInformation"]) == {"error", "message", "code"}


class TestLastModified:
    def at(self, ledger: Ledger, now: str) -> None:
        ledger.sandbox.control("clock", now=now)

    @pytest.fixture
    def written(self, sandbox: Any) -> Ledger:
        sandbox.control("options", access_token_seconds=10**9)
        ledger: Ledger = sandbox.connect("acme")
        self.at(ledger, "2026-11-22T09:00:30+01:00")
        ledger.customer("1")
        self.at(ledger, "2026-11-22T09:01:30+01:00")
        ledger.customer("2")
        return ledger

    def test_it_has_minutes_in_swedish_time_and_includes_its_own(self, written: Ledger) -> None:
        assert numbers(written, lastmodified="2026-11-22 09:00") == ["1", "2"]
        assert numbers(written, lastmodified="2026-11-22 09:01") == ["2"]
        assert numbers(written, lastmodified="2026-11-22 09:02") == []
        assert numbers(written, lastmodified="2026-11-22") == ["1", "2"]

    def test_it_can_exclude_its_own_minute(self, written: Ledger) -> None:
        written.settings(lastmodified_inclusive=False)
        assert numbers(written, lastmodified="2026-11-22 09:00") == ["2"]

    def test_a_change_renews_it(self, written: Ledger) -> None:
        self.at(written, "2026-11-22T10:00:00+01:00")
        written.put("/3/customers/1", {"Customer": {"City": "Lund"}})
        assert numbers(written, lastmodified="2026-11-22 10:00") == ["1"]

    def test_summer_time_is_swedish_too(self, written: Ledger) -> None:
        self.at(written, "2027-07-01T12:00:00+00:00")
        written.customer("3")
        assert numbers(written, lastmodified="2027-07-01 14:00") == ["3"]
        assert numbers(written, lastmodified="2027-07-01 14:01") == []


def test_the_list_item_differs_from_the_single_one(acme: Ledger) -> None:
    acme.customer(Phone1="040-1")
    item = acme.get("/3/customers").json()["Customers"][0]
    assert item["Phone"] == "040-1"
    assert "Phone1" not in item
    assert acme.get("/3/customers/10001").json()["Customer"]["Phone1"] == "040-1"


def test_the_registers_answer(acme: Ledger) -> None:
    acme.settings(company_name="Acme AB", locked_until="2025-12-31")
    assert acme.get("/3/companyinformation").json()["CompanyInformation"]["CompanyName"] == "Acme AB"
    settings = acme.get("/3/settings/company").json()["CompanySettings"]
    assert settings["DatabaseNumber"] == str(acme.tenant_id)
    assert acme.get("/3/settings/lockedperiod").json() == {"LockedPeriod": {"EndDate": "2025-12-31"}}
    assert acme.get("/3/accounts/3010").json()["Account"]["ProjectSettings"] == "ALLOWED"
    assert acme.get("/3/accounts", limit=500).json()["MetaInformation"]["@TotalResources"] > 50
    yen = acme.get("/3/currencies/JPY").json()["Currency"]
    assert (yen["BuyRate"], yen["SellRate"], yen["Unit"]) == (6.91, 6.91, 100)
    years = acme.get("/3/financialyears", date="2026-11-22").json()["FinancialYears"]
    assert [year["FromDate"] for year in years] == ["2026-01-01"]


def test_a_ledger_without_a_lock_says_null(acme: Ledger) -> None:
    assert acme.get("/3/settings/lockedperiod").json() == {"LockedPeriod": {"EndDate": None}}
