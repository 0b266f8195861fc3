"""Small clients for the sandbox: one for its controls, one for a tenant's ledger."""

from dataclasses import dataclass, field
from typing import Any

import requests

CLIENT = ("sandbox-client", "sandbox-secret")
JSON = {"Content-Type": "application/json"}


@dataclass
class Sandbox:
    """The running process: its addresses, and its controls."""

    fortnox: str
    moment: str
    smtp: str
    page: str
    session: requests.Session = field(default_factory=requests.Session)

    def control(self, path: str, /, **body: Any) -> Any:
        return self._checked(self.session.post(f"{self.fortnox}/_sandbox/{path}", json=body))

    def see(self, path: str, /, **query: str) -> Any:
        return self._checked(self.session.get(f"{self.fortnox}/_sandbox/{path}", params=query))

    def clear(self, path: str, /, **query: str) -> Any:
        return self._checked(self.session.delete(f"{self.fortnox}/_sandbox/{path}", params=query))

    def moment_control(self, path: str, /, **body: Any) -> Any:
        return self._checked(self.session.post(f"{self.moment}/_sandbox/{path}", json=body))

    def token(self, form: dict[str, str], client: tuple[str, str] = CLIENT, **headers: str) -> requests.Response:
        return self.session.post(f"{self.fortnox}/oauth-v1/token", data=form, auth=client, headers=headers)

    def connect(self, tenant: str, **grant: Any) -> "Ledger":
        """Consents for a tenant and exchanges the code, as a connecting customer does."""
        granted = self.control("grants", tenant=tenant, **grant)
        answer = self.token({"grant_type": "authorization_code", "code": granted["code"]})
        assert answer.status_code == 200, answer.text
        return Ledger(self, tenant, granted["tenantId"], answer.json())

    @staticmethod
    def _checked(answer: requests.Response) -> Any:
        assert answer.status_code < 300, answer.text
        return answer.json()


@dataclass
class Ledger:
    """One tenant's API with a live token."""

    sandbox: Sandbox
    tenant: str
    tenant_id: int
    tokens: dict[str, Any]

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}", **more.pop("headers", {})}
        return self.sandbox.session.request(method, f"{self.sandbox.fortnox}{path}", headers=headers, **more)

    def get(self, path: str, /, **query: Any) -> requests.Response:
        return self.request("GET", path, params=query)

    def post(self, path: str, document: Any) -> requests.Response:
        return self.request("POST", path, json=document)

    def put(self, path: str, document: Any) -> requests.Response:
        return self.request("PUT", path, json=document)

    def delete(self, path: str) -> requests.Response:
        return self.request("DELETE", path)

    def act(self, number: str, action: str) -> requests.Response:
        return self.request("PUT", f"/3/invoices/{number}/{action}", headers=JSON)

    def upload(self, name: str = "a.pdf", content: bytes = b"%PDF-1.4", folder: str = "inbox_kf") -> Any:
        files = {"file": (name, content, "application/pdf")}
        answer = self.request("POST", "/3/inbox", params={"path": folder}, files=files)
        assert answer.status_code == 201, answer.text
        return answer.json()["File"]

    def settings(self, **settings: Any) -> None:
        self.sandbox.control("tenants", tenant=self.tenant, **settings)

    def state(self) -> Any:
        return self.sandbox.see("state", tenant=self.tenant)

    def customer(self, number: str = "10001", **more: Any) -> requests.Response:
        return self.post("/3/customers", {"Customer": {"CustomerNumber": number, "Name": "Bygg AB", **more}})

    def project(self, number: str = "1", **more: Any) -> requests.Response:
        return self.post("/3/projects", {"Project": {"ProjectNumber": number, "Description": "Hus", **more}})

    def invoice(self, number: str | None = "1001", *rows: dict[str, Any], **more: Any) -> requests.Response:
        invoice = {
            "CustomerNumber": "10001",
            "InvoiceDate": "2026-11-20",
            "InvoiceRows": list(rows) or [a_row()],
        }
        if number is not None:
            invoice["DocumentNumber"] = number
        return self.post("/3/invoices", {"Invoice": {**invoice, **more}})


def a_row(**more: Any) -> dict[str, Any]:
    return {
        "AccountNumber": 3010,
        "Description": "Arbete",
        "DeliveredQuantity": "1",
        "Price": 100,
        "VAT": 25,
        **more,
    }


def code_of(answer: requests.Response) -> int:
    """The error code, whatever the spelling of the envelope."""
    envelope = answer.json()["ErrorInformation"]
    return int(envelope.get("Code", envelope.get("code")))
