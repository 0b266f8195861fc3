"""What people do in the console, in a real browser against the real processes and the sandbox."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, Opened, an_invoice, serious
from tests.unit.factories import customer_json, project_json
from tests.waiting import wait_until


def test_somebody_signs_in_and_out(console: Console, opened: Opened) -> None:
    page = opened("/audit", role="")
    expect(page).to_have_url(re.compile("/sign-in"))

    page.get_by_label("Namn").fill("operator")
    page.get_by_label("Lösenord").fill("not the password")
    page.get_by_role("button", name="Logga in").click()
    expect(page.get_by_role("alert")).to_have_text("Namnet eller lösenordet är fel.")

    page.get_by_label("Lösenord").fill(console.password)
    page.get_by_role("button", name="Logga in").click()
    expect(page).to_have_url(f"{console.address}/audit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Revisionslogg")

    page.get_by_role("button", name="Logga ut").click()
    page.goto("/audit")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_a_company_is_connected_on_fortnoxs_consent_page(console: Console, opened: Opened) -> None:
    console.stack.sandbox.tenant("nyab", project_module=False)
    page = opened("/")
    page.get_by_label("Företagets kod").fill("nyab")
    page.get_by_role("button", name="Fortsätt").click()
    page.get_by_label("E-post vid fel").first.fill("ekonomi@nyab.example")
    page.get_by_role("button", name="Gå till Fortnox").click()
    expect(page).to_have_url(re.compile(re.escape(console.settings.fortnox_auth_url)))

    page.get_by_label("Company").select_option("nyab")
    page.get_by_role("button", name="Approve").click()

    expect(page).to_have_url(re.compile(f"{re.escape(console.address)}/companies/nyab"))
    expect(page.get_by_role("status")).to_contain_text("Kopplat till nyab")
    expect(page.locator("#connection + p")).to_have_text("Kopplad")
    checks = page.get_by_role("region", name="Kontroller")
    expect(checks).to_contain_text("Projekt")
    assert console.services.stores.connections.get("nyab").integration.error_email == "ekonomi@nyab.example"


def test_a_consent_that_is_denied_is_told_and_nothing_is_connected(console: Console, opened: Opened) -> None:
    console.stack.sandbox.tenant("nekat")
    page = opened("/companies/nekat/connect")
    page.get_by_label("E-post vid fel").first.fill("ekonomi@nekat.example")
    page.get_by_role("button", name="Gå till Fortnox").click()
    page.get_by_label("Company").select_option("nekat")
    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_role("main")).to_contain_text("Godkännandet avbröts i Fortnox.")
    expect(page.get_by_role("link", name="Försök igen")).to_have_attribute("href", "/companies/nekat/connect")
    assert console.services.stores.connections.find("nekat") is None


def test_a_published_event_appears_by_itself(console: Console, opened: Opened) -> None:
    console.connect("levande")
    page = opened("/transfers?company=levande")
    expect(page.get_by_text("Listan uppdateras automatiskt.")).to_be_visible()

    console.publish(customer_json(event_id="ny-kund", company="levande", customer_number="4711"))

    row = page.get_by_role("row").filter(has_text="kund 4711")
    expect(row).to_contain_text("Överförd")


def test_a_failed_invoice_is_mended_and_tried_again_from_the_mails_link(console: Console, opened: Opened) -> None:
    console.connect("bygg")
    console.fail_invoice("bygg", 501)
    page = opened(console.mailed_link("bygg"), role="")
    follow_to_event(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Faktura 501")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Åtgärd krävs")
    expect(page.get_by_role("main")).to_contain_text("finns inte i kontoplanen")

    console.mend_account("bygg")
    page.get_by_role("button", name="Försök igen").click()

    expect(page.get_by_role("status")).to_have_text("Ett nytt försök görs nu.")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Överförd")
    expect(page.get_by_text("Bokföra fakturan i Fortnox: klart")).to_be_visible()
    (invoice,) = console.stack.sandbox.state("bygg")["invoices"]
    assert (str(invoice["DocumentNumber"]), invoice["Booked"]) == ("501", True)
    page.get_by_role("link", name="501").click()
    expect(page.locator("#bygg-invoice-501")).to_contain_text("posted")


def follow_to_event(page: Page) -> None:
    """A mail about one event leads to it; one about several, to their cause."""
    link = page.get_by_role("link", name="faktura 501")
    if link.count():
        link.click()


def test_an_invoice_is_not_transferred_with_a_reason(console: Console, opened: Opened) -> None:
    console.connect("avsta")
    console.fail_invoice("avsta", 502)
    page = opened("/events/avsta/avsta-502")
    page.get_by_text("Överför inte", exact=True).first.click()
    page.get_by_label("Varför?").fill("Redan inlagd för hand")
    page.get_by_role("button", name="Överför inte").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Överförs inte")
    expect(page.get_by_role("main")).to_contain_text("Redan inlagd för hand")
    page.goto("/audit?company=avsta")
    expect(page.get_by_role("row").filter(has_text="avsta-502")).to_contain_text("anna")


def test_all_of_a_cause_are_tried_again_with_progress(console: Console, opened: Opened) -> None:
    console.connect("manga")
    numbers = range(600, 630)
    console.publish(*(an_invoice("manga", number, "3019") for number in numbers))
    for number in numbers:
        assert console.settled("manga", f"manga-{number}").status == "failed"
    console.mend_account("manga")
    page = opened("/failures?company=manga")
    page.get_by_role("link", name="Kontot finns inte").click()
    expect(page.get_by_role("list").filter(has_text="Lägg upp kontot i Fortnox")).to_be_visible()
    page.get_by_role("button", name="Försök igen med alla 30").click()

    expect(page.get_by_text("Klart: nytt försök görs med 30 händelser.")).to_be_visible()
    for number in numbers:
        assert console.settled("manga", f"manga-{number}").status == "done"
    page.goto("/failures?company=manga")
    expect(page.get_by_text("Inget behöver åtgärdas.")).to_be_visible()


def test_expenses_are_imported_and_explained_row_by_row(console: Console, opened: Opened) -> None:
    console.connect("utlagg", expenses={"enabled": True, "account_numbers": ["4010"]})
    console.publish(project_json(event_id="p", company="utlagg", project_number="1", start_date="2026-01-01"))
    assert console.settled("utlagg", "p").status == "done"
    console.stack.sandbox.moment_project("utlagg", "1")
    rows = [
        {"Account": 4010, "Project": "1", "Debit": "8400.00", "ItemDescription": "Reglar"},
        {"Account": 6110, "Project": "1", "Debit": "310.00", "ItemDescription": "Papper"},
    ]
    console.stack.sandbox.post(
        "supplierinvoices",
        {
            "tenant": "utlagg",
            "invoice": {"SupplierName": "Virke AB", "InvoiceNumber": "F-1", "SupplierInvoiceRows": rows},
            "approved": True,
            "booked": True,
        },
    )
    page = opened("/expenses/utlagg")
    page.get_by_label("Dagar tillbaka").fill("400")
    page.get_by_role("button", name="Hämta igen").click()
    expect(page.get_by_text(re.compile("Klart: "))).to_be_visible()
    page.get_by_role("link", name="Gå vidare").click()
    page.get_by_label("Löpnummer i Fortnox").fill("1")
    page.get_by_role("button", name="Visa").click()

    expect(page.get_by_role("row", name=re.compile("4010 1 8 400,00 Finns"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("6110 1 310,00 Finns inte Konto"))).to_be_visible()
    expect(page.get_by_role("heading", name="Virke AB F-1")).to_be_visible()
    (expense,) = console.stack.sandbox.expenses("utlagg").values()
    assert expense["amountExcludingVat"] == "8400.00"


@pytest.mark.parametrize("role", ["viewer", "company"])
def test_each_role_is_shown_what_it_may_do_and_no_more(console: Console, opened: Opened, role: str) -> None:
    name = f"roll{role}"
    console.connect(name)
    console.fail_invoice(name, 700)
    page = opened(f"/events/{name}/{name}-700", role=role, company=name if role == "company" else "")

    expect(page.get_by_role("button", name="Försök igen")).to_have_count(1 if role == "company" else 0)
    menu = page.get_by_role("navigation").get_by_role("link")
    wanted = {
        "viewer": ["Översikt", "Överföringar", "Åtgärd krävs", "Revisionslogg"],
        "company": ["Företaget", "Överföringar", "Åtgärd krävs"],
    }
    assert menu.all_inner_texts() == wanted[role]
    answer = page.goto("/companies/bygg" if role == "company" else f"/companies/{name}/disconnect")
    assert answer is not None
    assert answer.status == (404 if role == "company" else 403)


def test_settings_show_the_accounts_names_and_what_was_changed(console: Console, opened: Opened) -> None:
    console.connect("installt", expenses={"enabled": True, "account_numbers": ["4010"]})
    page = opened("/companies/installt/settings")
    names = page.locator(".names")
    expect(names).to_contain_text("4010")
    page.get_by_label("Konton", exact=True).fill("4010, 5410")
    page.get_by_label("Språk i meddelanden").select_option("en")
    page.get_by_role("button", name="Spara").click()

    receipt = page.get_by_role("status")
    expect(receipt).to_contain_text("Konton: 4010 → 4010, 5410")
    expect(receipt).to_contain_text("Språk i meddelanden: sv → en")


def test_a_companys_own_people_switch_payments_on_and_a_payment_arrives_in_moment(
    console: Console, opened: Opened
) -> None:
    console.connect("betalt")
    console.publish(an_invoice("betalt", 900))
    number = console.settled("betalt", "betalt-900").document
    page = opened("/companies/betalt", role="company", company="betalt")
    page.get_by_role("link", name="Inställningar").click()
    address = page.get_by_label("E-post vid fel")
    expect(address).to_be_disabled()
    expect(page.get_by_text("Bara den som driver systemet kan ändra adressen")).to_be_visible()
    assert serious(page) == []
    box = page.get_by_role("checkbox", name="Hämta betalningar")
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_label("Betalningar från och med").fill("2020-01-01")
    page.get_by_role("button", name="Spara").click()

    receipt = page.get_by_role("status")
    expect(receipt).to_contain_text("Hämta betalningar: nej → ja")
    expect(receipt).to_contain_text("Betalningar från och med: inget → 2020-01-01")
    expect(page.get_by_role("checkbox", name="Hämta betalningar")).to_be_checked()
    console.stack.sandbox.post("invoicepayments", {"tenant": "betalt", "invoice": number, "amount": "2500"})
    wait_until(lambda: console.stack.sandbox.payments("betalt"), what="the payment in Moment")
