"""The running stand-ins for Fortnox, Moment and SMTP, and their controls (`sandbox/README.md`)."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import requests

CLIENT_ID, CLIENT_SECRET, MOMENT_KEY = "sandbox-client", "sandbox-secret", "sandbox-key"


@dataclass(frozen=True)
class Addresses:
    """Where the stand-ins are; `page` shows what the ledgers hold."""

    fortnox: str
    moment: str
    smtp: str
    page: str

    @property
    def feed(self) -> str:
        """Where Fortnox's stand-in tells of changes."""
        return f"{self.fortnox.replace('http', 'ws', 1)}/topics-v1"


class Sandbox:
    """Does what people do in Fortnox, and makes Fortnox fail as a test needs."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.fortnox = addresses.fortnox
        self.moment = addresses.moment
        self.smtp = addresses.smtp
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def get(self, control: str, **params: str) -> Any:
        return self._control("GET", control, params=params)

    def post(self, control: str, body: Any = None) -> Any:
        return self._control("POST", control, json={} if body is None else body)

    def delete(self, control: str) -> Any:
        return self._control("DELETE", control)

    def tenant(self, tenant: str, **settings: Any) -> dict[str, Any]:
        """Create a company's ledger, or change its settings."""
        return dict(self.post("tenants", {"tenant": tenant, **settings}))

    def code(self, tenant: str, *, service: bool = True, scopes: str = "") -> str:
        """Consent for the company. Return the one-time code."""
        given = {"tenant": tenant, "service": service, **({"scopes": scopes} if scopes else {})}
        return str(self.post("grants", given)["code"])

    def account(self, tenant: str, number: int, **fields: Any) -> None:
        """Open or change an account in the company's chart."""
        self.post("accounts", {"tenant": tenant, "number": number, **fields})

    def customer(self, tenant: str, number: str, **fields: Any) -> None:
        """Enter a customer, or change the customer's card, with Fortnox's names."""
        self.post("customers", {"tenant": tenant, "number": number, **fields})

    def fault(self, kind: str, **details: Any) -> None:
        """Make the next matching request fail: `fail_next`, `drop_response_after_write`, `delay`, …"""
        self.post("faults", {"kind": kind, **details})

    def requests(self, tenant: str) -> list[str]:
        """The company's requests so far, oldest first, as `POST /3/customers`."""
        entries = self.get("requests", tenant=tenant)["requests"]
        return [f"{entry['method']} {entry['path']}" for entry in entries]

    def state(self, tenant: str) -> dict[str, Any]:
        """What the company's ledger holds."""
        return dict(self.get("state", tenant=tenant))

    def mails(self) -> list[dict[str, Any]]:
        """What the SMTP server took, oldest first."""
        return list(self.get("mails")["mails"])

    def refuse_mail(self, how: str | None) -> None:
        """Make the SMTP server refuse (421, 450, 550 or `connection`); None makes it accept mail again."""
        if how is None:
            self.delete("smtp")
        else:
            self.post("smtp", {"refuse": how})

    # Moment's side

    def moment_project(self, company: str, number: str, **fields: Any) -> None:
        self.in_moment("POST", "projects", {"company": company, "projectNumber": number, **fields})

    def expenses(self, company: str) -> dict[str, dict[str, Any]]:
        """Moment's expenses by their external ids."""
        found = self.in_moment("GET", f"expenses?company={company}")
        return {one["externalId"]: one for one in found}

    def payments(self, company: str) -> dict[str, dict[str, Any]]:
        """Moment's payments by their external ids."""
        found = self.in_moment("GET", f"payments?company={company}")
        return {one["externalId"]: one for one in found}

    def in_moment(self, method: str, control: str, body: Any = None) -> Any:
        return self._sent(method, f"{self.moment}/_sandbox/{control}", **({} if body is None else {"json": body}))

    # Supplier invoices, as people enter them in Fortnox

    def supplier_invoice(self, tenant: str, *rows: dict[str, Any], **more: Any) -> str:
        """Enter one, by default posted and approved, or change it. Return its number."""
        invoice: dict[str, Any] = {"SupplierName": "Virke AB", "InvoiceNumber": "F-7", "InvoiceDate": "2026-11-02"}
        invoice |= {"SupplierInvoiceRows": list(rows)} if rows else {}
        invoice |= more.pop("invoice", {})
        answer = self.post("supplierinvoices", {"tenant": tenant, "booked": True, "invoice": invoice, **more})
        return str(answer["GivenNumber"])

    def _control(self, method: str, control: str, **options: Any) -> Any:
        return self._sent(method, f"{self.fortnox}/_sandbox/{control}", **options)

    def _sent(self, method: str, address: str, **options: Any) -> Any:
        response = self._session.request(method, address, timeout=60, **options)
        if not response.ok:
            raise RuntimeError(f"{address}: {response.status_code} {response.text}")
        return response.json()
