"""An event of each type with every field of the contract, to copy: `moment-fortnox events example TYPE`. Pure data.

docs/producers.md shows the same ones; a test compares them, and another delivers them.
"""

import json
from typing import Any, Final

_CUSTOMER: Final = {
    "id": 62788973,
    "customerNumber": "10001",
    "name": "Skånska Bygg AB",
    "organizationNumber": "556677-8899",
    "email": "faktura@skanskabygg.example",
    "address": {
        "address1": "Storgatan 1",
        "address2": None,
        "zipCode": "211 42",
        "city": "Malmö",
        "countryCode": "SE",
    },
}
_PROJECT: Final = {
    "id": 62788980,
    "projectNumber": "1",
    "name": "Ombyggnad",
    "startDate": None,
    "endDate": "2027-06-30",
    "createdDate": "2026-11-01T08:00:00Z",
    "projectState": "inProgress",
}
_LINE: Final = {
    "description": "Konsulttimmar",
    "accountNumber": "3010",
    "vatPercentage": "25",
    "quantity": "8",
    "unitPrice": "1250.00",
    "amountExcludingVat": "10000.00",
    "project": {"id": 62788980, "projectNumber": "1"},
}
_INVOICE: Final = {
    "id": 106939080,
    "invoiceNumber": 1001,
    "creditedInvoiceNumber": None,
    "description": "November",
    "customer": {"id": 62788973, "customerNumber": "10001"},
    "project": {"id": 62788980, "projectNumber": "1"},
    "invoiceDate": "2026-11-20",
    "dueDate": "2026-12-20",
    "paymentId": "10017",
    "currencyCode": "SEK",
    "currencyRate": None,
    "totalIncludingVat": "12500.00",
    "yourReference": "Anna Ek",
    "theirReference": "Bo Lind",
    "lines": [_LINE],
    "attachments": [
        {"fileName": "faktura-1001.pdf", "contentType": "application/pdf", "content": "JVBERi0xLjQKJSVFT0YK"}
    ],
}
_CREDIT_NOTE: Final = _INVOICE | {
    "id": 106939081,
    "invoiceNumber": 1002,
    "creditedInvoiceNumber": 1001,
    "description": "Credits a part of invoice 1001",
    "paymentId": None,
    "totalIncludingVat": "-1250.00",
    "lines": [_LINE | {"quantity": "-1", "unitPrice": "1000.00", "amountExcludingVat": "-1000.00"}],
    "attachments": [],
}
_INTEGRATION: Final = {
    "authorizationCode": "THE-ONE-TIME-CODE-FROM-FORTNOX",
    "serviceAccount": True,
    "errorEmail": "ekonomi@acme.example",
    "transfers": {"customers": True, "projects": True, "invoices": True},
    "expenses": {
        "enabled": True,
        "accountNumbers": ["4010", "5000-5999"],
        "billableByDefault": True,
        "fromDate": "2026-11-01",
    },
    "payments": {"enabled": True, "fromDate": None},
}
_UPDATED: Final = {name: value for name, value in _INTEGRATION.items() if name != "authorizationCode"}

_BODIES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "customer.created": ("customer", _CUSTOMER),
    "customer.updated": ("customer", _CUSTOMER | {"email": None}),
    "project.created": ("project", _PROJECT),
    "project.updated": ("project", _PROJECT | {"startDate": "2026-10-01", "projectState": "completed"}),
    "invoice.finalized": ("invoice", _INVOICE),
    "credit-note": ("invoice", _CREDIT_NOTE),
    "integration.enabled": ("integration", _INTEGRATION),
    "integration.updated": ("integration", _UPDATED),
    "integration.disabled": ("integration", {}),
}


def _example(place: int, name: str) -> dict[str, Any]:
    part, body = _BODIES[name]
    return {
        "id": f"e{place}",
        "company": "acme",
        "type": "invoice.finalized" if name == "credit-note" else name,
        "occurredAt": f"2026-11-22T09:00:0{place}Z",
        "sequence": place,
        part: body,
    }


EXAMPLES: Final = {name: _example(place, name) for place, name in enumerate(_BODIES, start=1)}  # by type


def example_json(name: str) -> str:
    """The example as it is shown: indented, letters as they are, a newline at the end."""
    return json.dumps(EXAMPLES[name], indent=2, ensure_ascii=False) + "\n"
