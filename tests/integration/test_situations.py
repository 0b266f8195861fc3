"""Every situation of the table comes about in the local Fortnox, by its state, and ends as the table says.

What a person does to the ledger (locks a period, closes an account, deletes a customer) is done through the sandbox's
controls; then the real client asks for what it would ask for, over HTTP.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from delivery.retry_policy import decide
from fortnox.client import Fortnox
from fortnox.errors import FortnoxError
from fortnox.oauth import OAuth
from fortnox.payloads import AttachmentPayload
from fortnox.situations import SITUATIONS, explanation
from fortnox.transport import Http, Transport
from messages.catalogue import say
from ordering import Claim, Failed, Held, Pause, Retry, TargetUnavailable
from tests.fortnox_things import COMPANY, ServiceTokens, a_customer, a_project, an_invoice
from tests.services import CLIENT_ID, Sandbox

NUMBER = 1001
NEEDS = ("acme/integration", "acme/customer/10001", "acme/project/1", "acme/invoice/999")


@dataclass
class World:
    """A company with a customer, a project and the client. Its ledger is changed by `tenant`, `account`, …"""

    sandbox: Sandbox
    fortnox: Fortnox
    oauth: OAuth
    http: Http

    def tenant(self, **settings: Any) -> None:
        self.sandbox.tenant(COMPANY, **settings)

    def account(self, **fields: Any) -> None:
        self.sandbox.account(COMPANY, 3010, **fields)

    def does(self, control: str, **given: Any) -> None:
        self.sandbox.post(control, {"tenant": COMPANY, **given})

    def deletes(self, what: str) -> None:
        self.sandbox.delete(f"{what}?tenant={COMPANY}")

    def bills(self, **fields: Any) -> None:
        """Creates invoice 1001; `Row` fields are its row's."""
        row = fields.pop("Row", {})
        wanted = an_invoice(NUMBER).for_create() | fields
        wanted["InvoiceRows"] = [wanted["InvoiceRows"][0] | row]
        self.fortnox.invoices.create({name: value for name, value in wanted.items() if value is not None})

    def posts(self) -> None:
        self.fortnox.invoices.bookkeep(NUMBER)

    def bills_and_posts(self, **fields: Any) -> None:
        self.bills(**fields)
        self.posts()

    def customer(self, **fields: Any) -> None:
        self.fortnox.customers.create(a_customer("10002").for_create() | fields)

    def with_scopes(self, scopes: str) -> Fortnox:
        tokens = ServiceTokens(self.oauth, self.oauth.exchange_code(self.sandbox.code(COMPANY, scopes=scopes)))
        return Fortnox(Transport(self.sandbox.fortnox, tokens, http=self.http), COMPANY)


def customer_unknown(world: World) -> None:
    world.bills(CustomerNumber="10099")


def customer_deleted(world: World) -> None:
    world.deletes("customers/10001")
    world.fortnox.customers.create(a_customer().for_create())


def project_unknown(world: World) -> None:
    world.deletes("projects/1")
    world.bills()


def project_period(world: World) -> None:
    world.does("projects/1", EndDate="2026-11-19")  # the day before the invoice date
    world.bills_and_posts()


def project_ended(world: World) -> None:
    world.tenant(completed_project_refused=True)
    world.does("projects/1", Status="COMPLETED")
    world.bills_and_posts()


def invoice_unknown(world: World) -> None:
    world.bills(CreditInvoiceReference="999")


def number_taken(world: World) -> None:
    world.bills()
    world.bills()


def ocr_taken(world: World) -> None:
    world.tenant(ocr_must_be_unique=True)
    world.bills(OCR="10017")
    world.bills(OCR="10017", DocumentNumber="1002")


def ocr_invalid(world: World) -> None:
    world.tenant(ocr_must_be_valid=True)
    world.bills(OCR="10018")


def period_locked(world: World) -> None:
    world.does("lock", until="2026-11-30")
    world.bills_and_posts()


def financial_year_missing(world: World) -> None:
    world.does("financialyears", years=[2024, 2025])
    world.bills_and_posts()


def account_unknown(world: World) -> None:
    world.deletes("accounts/3010")
    world.bills()


def account_inactive(world: World) -> None:
    world.account(active=False)
    world.bills()


def default_account_missing(world: World) -> None:
    world.tenant(administration_fee_account=None)
    world.bills_and_posts(AdministrationFee=Decimal(50))


def vat_rate(world: World) -> None:
    world.tenant(vat_rates=[12, 6, 0])
    world.bills()


def vat_account(world: World) -> None:
    world.tenant(easy_vat=True)
    world.bills(Row={"VAT": Decimal(12)})


def vat_number(world: World) -> None:
    world.customer(VATNumber="SE123")


def currency_unknown(world: World) -> None:
    world.deletes("currencies/EUR")
    world.bills(Currency="EUR", CurrencyRate=Decimal("11.42"))


def project_mandatory(world: World) -> None:
    world.account(project_settings="MANDATORY")
    world.bills_and_posts(Project=None)


def project_forbidden(world: World) -> None:
    world.account(project_settings="NOTALLOWED")
    world.bills_and_posts()


def cost_centre(world: World) -> None:
    world.account(cost_center_settings="MANDATORY")
    world.bills_and_posts()


def register_missing(world: World) -> None:
    world.customer(TermsOfPayment="77")


def voucher_series(world: World) -> None:
    world.tenant(invoice_voucher_series=None)
    world.bills_and_posts()


def warehouse(world: World) -> None:
    world.tenant(warehouse_module=True)
    world.bills_and_posts()


def warehouse_fault(world: World) -> None:
    world.tenant(warehouse_module=True, warehouse_migrating=True)
    world.bills_and_posts()


def cash_method(world: World) -> None:
    world.tenant(accounting_method="CASH")
    world.bills_and_posts()


def document_locked(world: World) -> None:
    world.bills()
    world.does(f"invoices/{NUMBER}/cancel")
    world.posts()


def posting_refused(world: World) -> None:
    world.tenant(posting_stopped="Bokslutet är fastställt.")
    world.bills_and_posts()


def characters(world: World) -> None:
    world.customer(Name='Kafé "Solsidan"')


def value(world: World) -> None:
    world.customer(CustomerNumber="A B")  # no space in a number


def country(world: World) -> None:
    world.customer(CountryCode="XX")


def rows(world: World) -> None:
    world.tenant(max_rows=0)
    world.bills()


def row_text(world: World) -> None:
    world.bills_and_posts(Row={"Description": ""})


def file(world: World) -> None:
    world.tenant(attachment_max_bytes=10)
    world.bills()
    uploaded = world.fortnox.inbox.upload("faktura.pdf", io.BytesIO(b"%PDF-1.4" + bytes(100)), "application/pdf")
    world.fortnox.attachments.attach(
        [AttachmentPayload(entityId=NUMBER, fileId=uploaded.archive_file_id, includeOnSend=True)]
    )


def project_module_off(world: World) -> None:
    world.tenant(project_module=False)
    world.fortnox.projects.create(a_project("2").for_create())


def scope(world: World) -> None:
    world.with_scopes("invoice companyinformation").customers.create(a_customer("10002").for_create())


def licence(world: World) -> None:
    world.tenant(unlicensed_scopes=["invoice"])
    world.bills()


def api_licence(world: World) -> None:
    world.tenant(api_licence=False)
    world.customer()


def service_account(world: World) -> None:
    world.sandbox.post("options", {"service_accounts_allowed": False})
    world.sandbox.post("tokens/expire", {"tenant": COMPANY})
    world.customer()


def code_used(world: World) -> None:
    code = world.sandbox.code(COMPANY)
    world.oauth.exchange_code(code)
    world.oauth.exchange_code(code)


def grant_dead(world: World) -> None:
    world.does("grants/revoke")
    world.customer()


def client(world: World) -> None:
    OAuth(world.sandbox.fortnox, CLIENT_ID, SecretStr("wrong"), http=world.http).client_credentials(1)


def request(world: World) -> None:
    list(world.fortnox.supplier_invoices.list(only="nosuchfilter"))


def login(world: World) -> None:
    """An answer given on purpose: no state makes Fortnox refuse a token that it issued a moment ago."""
    world.sandbox.fault("fail_next", status=401, body="unauthorized", count=2, path="/3/")
    world.customer()


def fortnox_fault(world: World) -> None:
    """An answer given on purpose: what makes Fortnox answer "System exception" is not known."""
    world.sandbox.fault("fail_next", status=500, code=1000003, message="System exception")
    world.fortnox.customers.get("10001")


RECIPES: dict[str, Callable[[World], None]] = {
    recipe.__name__.replace("_", "-"): recipe
    for recipe in (
        customer_unknown,
        customer_deleted,
        project_unknown,
        project_period,
        project_ended,
        invoice_unknown,
        number_taken,
        ocr_taken,
        ocr_invalid,
        period_locked,
        financial_year_missing,
        account_unknown,
        account_inactive,
        default_account_missing,
        vat_rate,
        vat_account,
        vat_number,
        currency_unknown,
        project_mandatory,
        project_forbidden,
        cost_centre,
        register_missing,
        voucher_series,
        warehouse,
        warehouse_fault,
        cash_method,
        document_locked,
        posting_refused,
        characters,
        value,
        country,
        rows,
        row_text,
        file,
        project_module_off,
        scope,
        licence,
        api_licence,
        service_account,
        code_used,
        grant_dead,
        login,
        client,
        request,
        fortnox_fault,
    )
}
ENDINGS: dict[str, tuple[type, ...]] = {
    "fail": (Failed,),
    "prerequisite": (Held,),
    "access": (Held,),
    "reconnect": (Pause,),
    "retry": (Retry, TargetUnavailable),
}
KINDS = {"prerequisite": ("customer", "project", "invoice"), "access": ("access",)}


@pytest.fixture
def world(sandbox: Sandbox, fortnox: Fortnox, oauth: OAuth, http: Http) -> World:
    fortnox.customers.create(a_customer().for_create())
    fortnox.projects.create(a_project().for_create())
    return World(sandbox, fortnox, oauth, http)


def test_there_is_a_recipe_for_each_situation_and_no_other() -> None:
    assert set(RECIPES) == set(SITUATIONS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_situation_comes_about_and_ends_as_the_table_says(world: World, name: str) -> None:
    situation = SITUATIONS[name]
    with pytest.raises(FortnoxError) as caught:
        RECIPES[name](world)
    assert caught.value.situation == name
    assert isinstance(caught.value, situation.error)

    outcome = decide(caught.value, a_claim(), NEEDS, chance=0.5)

    assert isinstance(outcome, ENDINGS[situation.ending])
    assert outcome.reason == explanation(name).reason
    if isinstance(outcome, Held):
        assert outcome.key.split("/")[1] in KINDS[situation.ending]
    if isinstance(outcome, Failed | Held | Pause):
        assert outcome.remedy == explanation(name).remedy
        assert outcome.code.split()[0] == name


def a_claim() -> Claim:
    return Claim("acme", "e1", 1, "invoice.finalized", "acme/invoice/1001", 0, "{}", {}, datetime.now(UTC))


# Where Fortnox has two ways of saying it


@pytest.mark.parametrize("code", [2000401, 2002141])
def test_a_locked_period_is_known_by_either_code(world: World, code: int) -> None:
    world.tenant(locked_period_code=code)
    with pytest.raises(FortnoxError) as caught:
        period_locked(world)
    assert (caught.value.situation, caught.value.code) == ("period-locked", str(code))


def test_a_locked_period_is_known_by_its_text_where_the_code_is_new(world: World) -> None:
    world.tenant(locked_period_code=4711)
    with pytest.raises(FortnoxError) as caught:
        period_locked(world)
    assert caught.value.situation == "period-locked"


def test_a_project_without_a_start_date_is_told_as_a_matter_of_its_dates(world: World) -> None:
    world.tenant(project_without_start_refused=True)
    world.does("projects/1", StartDate="API_BLANK")
    with pytest.raises(FortnoxError) as caught:
        world.bills_and_posts()
    assert caught.value.situation == "project-period"


@pytest.mark.parametrize("account", ["deleted", "inactive"])
def test_an_account_that_goes_after_the_invoice_was_made_is_found_at_posting(world: World, account: str) -> None:
    world.bills()
    if account == "deleted":
        world.deletes("accounts/3010")
    else:
        world.account(active=False)
    with pytest.raises(FortnoxError) as caught:
        world.posts()
    assert caught.value.situation == {"deleted": "account-unknown", "inactive": "account-inactive"}[account]


def test_a_refusal_that_nobody_has_described_is_told_in_fortnoxs_own_words(world: World) -> None:
    """An answer given on purpose: what is not known has no state."""
    world.sandbox.fault("fail_next", status=400, code=4711, message="Månen är i vägen.", path="/3/customers")
    with pytest.raises(FortnoxError) as caught:
        world.customer()
    outcome = decide(caught.value, a_claim(), NEEDS, chance=0.5)
    assert isinstance(outcome, Failed)
    assert say(outcome.reason) == "Fortnox refused it and says: “Månen är i vägen.” (4711)"
    assert say(outcome.reason, "sv") == "Fortnox nekade och säger: ”Månen är i vägen.” (4711)"
    assert outcome.code == "4711"
