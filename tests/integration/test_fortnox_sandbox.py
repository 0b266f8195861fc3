"""The whole client against the local Fortnox, over HTTP."""

import io
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from delivery.upsert import Written, create_or_update
from fortnox import errors as e
from fortnox.client import Fortnox
from fortnox.limiter import MARGIN, SHORTEST_WAIT, Limiter
from fortnox.oauth import OAuth
from fortnox.payloads import AttachmentPayload
from fortnox.transport import Http, Transport
from tests.fortnox_things import (
    COMPANY,
    MemoryLinks,
    ServiceTokens,
    a_customer,
    a_project,
    an_invoice,
)
from tests.services import CLIENT_ID, Sandbox


@pytest.fixture
def ready(fortnox: Fortnox) -> Fortnox:
    """With a customer and a project to bill."""
    fortnox.customers.create(a_customer().for_create())
    fortnox.projects.create(a_project().for_create())
    return fortnox


# --- what is written ---------------------------------------------------------------------------------


def test_a_customer_and_a_project_are_made_and_changed_by_moments_numbers(sandbox: Sandbox, fortnox: Fortnox) -> None:
    links = MemoryLinks()

    done = [
        create_or_update(fortnox.customers, links, a_customer()),
        create_or_update(fortnox.customers, links, a_customer()),
        create_or_update(fortnox.customers, links, a_customer(name="Skånska Bygg & Co")),
        create_or_update(fortnox.projects, links, a_project()),
        create_or_update(fortnox.projects, MemoryLinks(), a_project()),
    ]

    assert [one.written for one in done] == [
        Written.CREATED,
        Written.UNCHANGED,
        Written.UPDATED,
        Written.CREATED,
        Written.UPDATED,
    ]
    assert fortnox.customers.get("10001").name == "Skånska Bygg & Co"
    assert fortnox.projects.get("1").start_date == date(2026, 1, 1)
    assert [request for request in sandbox.requests(COMPANY) if "customers" in request] == [
        "POST /3/customers",
        "PUT /3/customers/10001",
        "GET /3/customers/10001",
    ]


def test_an_invoice_goes_in_whole_with_its_files_and_is_posted(ready: Fortnox) -> None:
    created = ready.invoices.create(an_invoice().for_create())
    file = ready.inbox.upload("räkning åäö 1001.pdf", io.BytesIO(b"%PDF-1.4" + b"x" * 100_000), "application/pdf")
    attached = ready.attachments.attach(
        [AttachmentPayload(entityId=1001, fileId=file.archive_file_id, includeOnSend=True)]
    )
    posted = ready.invoices.bookkeep(1001)

    assert (created.document_number, created.total, created.total_vat) == (
        "1001",
        Decimal("12499.88"),
        Decimal("2499.98"),
    )
    assert not created.booked
    assert posted.booked
    assert posted.voucher_number
    assert file.name == "räkning åäö 1001.pdf"
    assert ready.attachments.list(1001) == attached
    assert [found.document_number for found in ready.invoices.find("106939080")] == ["1001"]
    assert ready.invoices.find("10693908") == ()  # Fortnox matches any part; we do not


def test_a_customer_number_with_unusual_characters_is_found_again(fortnox: Fortnox) -> None:
    fortnox.customers.create(a_customer("A-1_x+2").for_create())

    assert fortnox.customers.get("A-1_x+2").customer_number == "A-1_x+2"


def test_files_are_uploaded_without_being_held_in_memory(fortnox: Fortnox, tmp_path: Path) -> None:
    file = tmp_path / "plan.pdf"
    file.write_bytes(b"%PDF-1.4" + bytes(5_000_000))
    tracemalloc.start()
    try:
        for _ in range(4):
            with file.open("rb") as stream:
                fortnox.inbox.upload(file.name, stream, "application/pdf")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000


# --- what is read ------------------------------------------------------------------------------------


def test_the_companys_own_facts_are_read(fortnox: Fortnox, tokens: ServiceTokens) -> None:
    assert fortnox.company_information().database_number == tokens.grant.tenant_id
    assert fortnox.accounts.get(3010).active
    assert fortnox.currencies.get("EUR").rate
    assert 3010 in {account.number for account in fortnox.accounts.list()}
    assert [year.accounting_method for year in fortnox.financial_years(date(2026, 11, 20))] == ["ACCRUAL"]


@pytest.mark.parametrize("what", ["customer", "project", "invoice", "account", "currency", "supplier invoice"])
def test_what_is_not_there_is_not_found(fortnox: Fortnox, what: str) -> None:
    look = {
        "customer": lambda: fortnox.customers.get("1"),
        "project": lambda: fortnox.projects.get("1"),
        "invoice": lambda: fortnox.invoices.get(1),
        "account": lambda: fortnox.accounts.get(9998),
        "currency": lambda: fortnox.currencies.get("XTS"),
        "supplier invoice": lambda: fortnox.supplier_invoices.get("1"),
    }

    with pytest.raises(e.NotFound):
        look[what]()


def test_supplier_invoices_are_listed_page_by_page_and_those_pending_are_known(
    sandbox: Sandbox, fortnox: Fortnox
) -> None:
    for number in range(7):
        sandbox.post(
            "supplierinvoices",
            {
                "tenant": COMPANY,
                "invoice": {
                    "SupplierName": "Byggvaror AB",
                    "InvoiceNumber": f"L{number}",
                    "InvoiceDate": "2026-11-20",
                    "SupplierInvoiceRows": [{"Account": 4010, "Debit": 100}],
                },
                "booked": number > 0,
                "approved": number > 0,
            },
        )

    found = list(fortnox.supplier_invoices.list(page_size=3))
    since = list(fortnox.supplier_invoices.list(modified_since=datetime.now(UTC) - timedelta(hours=1)))

    assert len({item.given_number for item in found}) == 7
    assert sandbox.requests(COMPANY).count("GET /3/supplierinvoices") == 4
    assert len(since) == 7
    one = fortnox.supplier_invoices.get(found[0].given_number)
    assert 4010 in {row.account for row in one.supplier_invoice_rows}
    assert fortnox.supplier_invoices.pending_approval() == {"1"}


# --- what is refused ---------------------------------------------------------------------------------


def test_each_refusal_names_its_cause(sandbox: Sandbox, fortnox: Fortnox) -> None:
    with pytest.raises(e.UnknownCustomer):
        fortnox.invoices.create(an_invoice().for_create())
    fortnox.customers.create(a_customer().for_create())
    with pytest.raises(e.UnknownProject):
        fortnox.invoices.create(an_invoice().for_create())
    fortnox.projects.create(a_project().for_create())
    with pytest.raises(e.ConfigurationNeeded) as account:
        fortnox.invoices.create(an_invoice(account=9998).for_create())
    assert account.value.situation == "account-unknown"
    fortnox.invoices.create(an_invoice().for_create())
    sandbox.post("lock", {"tenant": COMPANY, "until": "2026-11-30"})
    with pytest.raises(e.PeriodLocked):
        fortnox.invoices.bookkeep(1001)


def test_a_deleted_customers_number_stays_reserved(sandbox: Sandbox, fortnox: Fortnox) -> None:
    fortnox.customers.create(a_customer().for_create())
    sandbox.delete(f"customers/10001?tenant={COMPANY}")

    with pytest.raises(e.NumberReserved):
        create_or_update(fortnox.customers, MemoryLinks(), a_customer())


def test_a_missing_scope_is_told_apart_from_a_dead_grant(sandbox: Sandbox, http: Http, oauth: OAuth) -> None:
    sandbox.tenant(COMPANY)
    tokens = ServiceTokens(oauth, oauth.exchange_code(sandbox.code(COMPANY, scopes="invoice companyinformation")))

    with pytest.raises(e.MissingScope):
        Fortnox(Transport(sandbox.fortnox, tokens, http=http), COMPANY).customers.get("1")


def test_the_project_module_being_off_is_told_as_that(sandbox: Sandbox, fortnox: Fortnox) -> None:
    sandbox.tenant(COMPANY, project_module=False)

    with pytest.raises(e.AccessMissing) as caught:
        fortnox.projects.create(a_project().for_create())

    assert caught.value.situation == "project-module-off"


# --- when things go wrong ----------------------------------------------------------------------------


def test_a_dropped_answer_after_a_write_is_unknown_and_a_look_shows_that_it_landed(
    sandbox: Sandbox, ready: Fortnox
) -> None:
    sandbox.fault("drop_response_after_write", path="/3/invoices")

    with pytest.raises(e.OutcomeUnknown):
        ready.invoices.create(an_invoice().for_create())

    assert ready.invoices.get(1001).external_invoice_reference1 == "106939080"


def test_a_customer_whose_creation_had_no_answer_is_there_once(sandbox: Sandbox, fortnox: Fortnox) -> None:
    links = MemoryLinks()
    sandbox.fault("drop_response_after_write", path="/3/customers")
    with pytest.raises(e.OutcomeUnknown):
        create_or_update(fortnox.customers, links, a_customer())

    assert create_or_update(fortnox.customers, links, a_customer()).written is Written.UPDATED
    assert sandbox.requests(COMPANY)[1:] == ["POST /3/customers", "GET /3/customers/10001", "PUT /3/customers/10001"]


def test_fortnoxs_own_limit_is_told_with_the_seconds(sandbox: Sandbox, fortnox: Fortnox) -> None:
    sandbox.fault("fail_next", status=429, body="html", retry_after=2)

    with pytest.raises(e.Throttled) as caught:
        fortnox.customers.create(a_customer().for_create())

    assert caught.value.retry_after == 2


def test_our_limiter_keeps_us_within_fortnoxs_limit(
    sandbox: Sandbox, http: Http, tokens: ServiceTokens, redis_client: object
) -> None:
    limiter = Limiter(redis_client, (24, 5))  # type: ignore[arg-type]
    fortnox = Fortnox(Transport(sandbox.fortnox, tokens, http=http, before_request=limiter.acquire), COMPANY)

    for _ in range(24):
        fortnox.company_information()
    with pytest.raises(e.WindowFull) as caught:
        fortnox.company_information()

    assert 0 < caught.value.retry_after <= 5 + MARGIN + SHORTEST_WAIT


def test_an_expired_token_is_renewed_in_mid_stream(sandbox: Sandbox, fortnox: Fortnox, tokens: ServiceTokens) -> None:
    first = tokens.grant.access_token
    sandbox.post("tokens/expire", {"tenant": COMPANY})

    fortnox.customers.create(a_customer().for_create())

    assert tokens.grant.access_token != first
    assert fortnox.customers.get("10001").name == "Skånska Bygg AB"


def test_a_withdrawn_consent_is_a_dead_grant(sandbox: Sandbox, fortnox: Fortnox) -> None:
    sandbox.post("grants/revoke", {"tenant": COMPANY})

    with pytest.raises(e.GrantDead):
        fortnox.company_information()


# --- OAuth -------------------------------------------------------------------------------------------


def test_a_code_works_once(sandbox: Sandbox, oauth: OAuth) -> None:
    sandbox.tenant(COMPANY)
    code = sandbox.code(COMPANY)
    oauth.exchange_code(code)

    with pytest.raises(e.CodeRefused) as caught:
        oauth.exchange_code(code)

    assert caught.value.situation == "code-used"
    assert code not in f"{caught.value} {caught.value.message}"


def test_refresh_tokens_rotate_and_the_last_pair_is_revoked(sandbox: Sandbox, oauth: OAuth) -> None:
    sandbox.tenant(COMPANY)
    sandbox.post("options", {"refresh_race_window": 0})
    first = oauth.exchange_code(sandbox.code(COMPANY, service=False))
    assert first.refresh_token is not None

    second = oauth.refresh(first.refresh_token)

    assert second.refresh_token not in {None, first.refresh_token}
    assert second.tenant_id == first.tenant_id
    with pytest.raises(e.GrantDead):
        oauth.refresh(first.refresh_token)
    assert second.refresh_token is not None
    assert oauth.revoke(second.refresh_token)
    assert not oauth.revoke(second.refresh_token)


def test_a_grant_shows_no_token_and_knows_its_end(sandbox: Sandbox, oauth: OAuth) -> None:
    sandbox.tenant(COMPANY)

    grant = oauth.exchange_code(sandbox.code(COMPANY, scopes="customer invoice"))

    assert grant.access_token.get_secret_value() not in repr(grant)
    assert grant.scopes == {"customer", "invoice"}
    assert timedelta(minutes=59) < grant.expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_a_wrong_client_secret_is_the_operators_not_the_companys(sandbox: Sandbox, http: Http) -> None:
    stranger = OAuth(sandbox.fortnox, CLIENT_ID, SecretStr("wrong"), http=http)

    with pytest.raises(e.ClientRefused) as caught:
        stranger.client_credentials(1)

    assert "wrong" not in repr(caught.value.details) + caught.value.message


def test_a_refresh_without_an_answer_may_have_used_up_the_token(sandbox: Sandbox, oauth: OAuth) -> None:
    sandbox.tenant(COMPANY)
    grant = oauth.exchange_code(sandbox.code(COMPANY, service=False))
    assert grant.refresh_token is not None
    sandbox.fault("drop_response_after_write", path="/oauth-v1/token")

    with pytest.raises(e.OutcomeUnknown):
        oauth.refresh(grant.refresh_token)


def test_a_service_accounts_token_can_be_asked_for_again_without_harm(
    sandbox: Sandbox, oauth: OAuth, tokens: ServiceTokens
) -> None:
    tenant_id = tokens.grant.tenant_id
    assert tenant_id is not None
    sandbox.fault("drop_response_after_write", path="/oauth-v1/token")

    with pytest.raises(e.Unavailable):
        oauth.client_credentials(tenant_id)

    assert oauth.client_credentials(tenant_id).refresh_token is None
