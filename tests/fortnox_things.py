"""What tests of the Fortnox client share: tokens and links kept in memory, and payloads that Fortnox accepts."""

from datetime import date
from decimal import Decimal

from fortnox.oauth import Grant, OAuth
from fortnox.payloads import CustomerPayload, InvoicePayload, InvoiceRowPayload, ProjectPayload
from stores.links import LinkRecord

COMPANY = "acme"


class ServiceTokens:
    """A service account's tokens, kept in memory."""

    def __init__(self, oauth: OAuth, grant: Grant) -> None:
        self._oauth = oauth
        self.grant = grant

    def access_token(self, company: str) -> str:
        return self.grant.access_token.get_secret_value()

    def renew(self, company: str, rejected_token: str) -> str:
        assert self.grant.tenant_id is not None
        self.grant = self._oauth.client_credentials(self.grant.tenant_id)
        return self.access_token(company)


class MemoryLinks(dict[tuple[str, str], LinkRecord]):
    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        return self.get((kind, number))

    def remember(self, kind: str, number: str, digest: str, *, confirmed: bool = False) -> None:
        self[kind, number] = LinkRecord(digest)

    def forget(self, kind: str, number: str) -> None:
        self.pop((kind, number), None)


def a_customer(number: str = "10001", name: str = "Skånska Bygg AB") -> CustomerPayload:
    return CustomerPayload(customer_number=number, name=name, country_code="SE", address2=None)


def a_project(number: str = "1") -> ProjectPayload:
    return ProjectPayload(
        project_number=number, description="Ombyggnad", start_date=date(2026, 1, 1), end_date=None, status="ONGOING"
    )


def an_invoice(number: int = 1001, account: int = 3010) -> InvoicePayload:
    row = InvoiceRowPayload(
        account_number=account, delivered_quantity="1", description="Konsult", price=Decimal("9999.90"), VAT=Decimal(25)
    )
    return InvoicePayload(
        document_number=number,
        customer_number="10001",
        invoice_date=date(2026, 11, 20),
        due_date=date(2026, 12, 20),
        currency="SEK",
        VATIncluded=False,
        freight=Decimal(0),
        administration_fee=Decimal(0),
        project="1",
        external_invoice_reference1="106939080",
        invoice_rows=(row,),
    )
