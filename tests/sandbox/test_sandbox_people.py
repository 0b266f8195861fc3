"""What people do on Fortnox's screens: by the same rules as the API, and without a token."""

import pytest

from tests.sandbox.sandbox_client import Ledger, code_of


def refused(ledger: Ledger, path: str, **body: object) -> str:
    """The control's refusal."""
    answer = ledger.sandbox.session.post(
        f"{ledger.sandbox.fortnox}/_sandbox/{path}", json={"tenant": ledger.tenant, **body}
    )
    assert answer.status_code == 400
    return str(answer.json()["error"])


def test_a_person_completes_an_invoice_that_the_warehouse_module_wants_completed(shop: Ledger) -> None:
    shop.sandbox.control("tenants", tenant="acme", warehouse_module=True)
    assert shop.invoice().status_code == 201
    assert code_of(shop.act("1001", "bookkeep")) == 2003498
    shop.sandbox.control("invoices/1001/complete", tenant="acme")
    assert shop.act("1001", "bookkeep").status_code == 200


def test_a_person_posts_by_the_same_rules_and_cancels_only_what_is_not_posted(shop: Ledger) -> None:
    shop.invoice()
    shop.sandbox.control("lock", tenant="acme", until="2026-12-31")
    assert "låst perioden" in refused(shop, "invoices/1001/book")
    shop.sandbox.control("lock", tenant="acme", until=None)
    shop.sandbox.control("invoices/1001/book", tenant="acme")
    assert shop.get("/3/invoices/1001").json()["Invoice"]["Booked"]
    assert "kan inte makuleras" in refused(shop, "invoices/1001/cancel")


def test_a_person_changes_and_deletes_a_project(shop: Ledger) -> None:
    shop.sandbox.control("projects/1", tenant="acme", EndDate="2026-01-31", StartDate="API_BLANK")
    project = shop.get("/3/projects/1").json()["Project"]
    assert (project["StartDate"], project["EndDate"]) == (None, "2026-01-31")
    assert "Felaktigt fältnamn" in refused(shop, "projects/1", Colour="blue")
    shop.sandbox.clear("projects/1", tenant="acme")
    assert shop.get("/3/projects/1").status_code == 404


def test_a_currency_that_was_removed_is_not_found(shop: Ledger) -> None:
    assert shop.sandbox.clear("currencies/EUR", tenant="acme") == {"removed": True}
    assert shop.get("/3/currencies/EUR").status_code == 404
    assert code_of(shop.invoice(Currency="EUR")) == 2000427


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"invoice_voucher_series": None}, 2001939, "Ogiltig verifikationsserie"),
        ({"warehouse_module": True, "warehouse_migrating": True}, 2003241, "Migrering"),
        ({"posting_stopped": "Bokslutet är fastställt."}, 2999013, "fakturanummer 1001. Bokslutet är fastställt."),
    ],
)
def test_what_a_company_has_set_up_can_stop_all_posting(
    shop: Ledger, settings: dict[str, object], code: int, text: str
) -> None:
    shop.invoice()
    shop.sandbox.control("tenants", tenant="acme", **settings)
    answer = shop.act("1001", "bookkeep")
    assert code_of(answer) == code
    assert text in answer.text


def test_an_account_can_demand_a_cost_centre(shop: Ledger) -> None:
    shop.invoice()
    number = shop.get("/3/invoices/1001").json()["Invoice"]["InvoiceRows"][0]["AccountNumber"]
    shop.sandbox.control("accounts", tenant="acme", number=number, cost_center_settings="MANDATORY")
    assert shop.get(f"/3/accounts/{number}").json()["Account"]["CostCenterSettings"] == "MANDATORY"
    assert "Kostnadsställe är obligatoriskt" in shop.act("1001", "bookkeep").text


def test_a_service_account_can_be_disallowed(shop: Ledger) -> None:
    shop.sandbox.control("options", service_accounts_allowed=False)
    answer = shop.sandbox.token({"grant_type": "client_credentials"}, TenantId=str(shop.tenant_id))
    assert answer.json()["error"] == "unauthorized_client"
