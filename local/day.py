"""A sample working day of one company, as Moment would send it, and what Fortnox must hold after it.

The totals are written by hand, not computed by the code that they check.
"""

import base64
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stdnum import luhn

Event = dict[str, Any]


def _cost(project: str, **row: Any) -> dict[str, Any]:
    return {"Account": 4010, "Project": project, **row}


COMPANY = "acme"
ERROR_EMAIL = "ekonomi@acme.example"
FAILING = "invoice-1014"

CUSTOMERS = {
    "10001": ("Skånska Bygg AB", "556677-8899", "Storgatan 1", "211 42", "Malmö", "SE"),
    "10002": ("Ö-viks Kök & Bad HB", "969663-7033", "Kajen 4", "891 33", "Örnsköldsvik", "SE"),
    "10003": ("Lunds Arkitektkontor AB", "556012-5790", "Klostergatan 9", "222 22", "Lund", "SE"),
    "10004": ("Nordic Timber Ltd", "GB 123 4567 89", "12 Dock Road", "E16 1AA", "London", "GB"),
    "10005": ("Brf Solsidan", "769600-1234", "Solsidan 2", "133 00", "Saltsjöbaden", "SE"),
    "10006": ("Anna Ek", None, "Byvägen 7", "441 30", "Alingsås", "SE"),
    "10007": ("Bergs “Allservice” <Nord>", "556703-7485", "Gruvvägen 3", "981 31", "Kiruna", "SE"),
    "10008": ("Muster Bau GmbH", "DE123456788", "Hafenstraße 5", "20457", "Hamburg", "DE"),
}
# What people have in Fortnox already: a customer's card with a discount, and a row of text on each invoice. Neither may
# change what was billed.
CARDS = {"10003": {"Name": "Lunds Arkitektkontor AB", "InvoiceDiscount": 10, "OurReference": "Tidigare handläggare"}}
TEXT_ROW = "Tack för er beställning"
PROJECTS = {
    "1": ("Ombyggnad", "2026-10-01", "2027-06-30", "inProgress"),
    "2": ("Kajen 4", "2026-09-15", None, "inProgress"),
    "3": ("Detaljplan Klostergatan", "2026-01-10", "2026-12-31", "inProgress"),
    "4": ("Timber frame review", "2026-11-01", None, "inProgress"),
    "5": ("Takbyte och tilläggsisolering av samtliga fastigheter", None, None, "notStarted"),
    "6": ("Serviceavtal", "2026-01-01", None, "inProgress"),
}
# number: customer, project, currency, total including VAT, lines (account, VAT %, amount excluding VAT, text)
INVOICES: dict[int, tuple[str, str | None, str, list[tuple[str, str, str, str]]]] = {
    1001: ("10001", "1", "12500.00", [("3010", "25", "10000.00", "Konsulttimmar")]),
    1002: (
        "10001",
        "1",
        "21237.50",
        [
            ("3010", "25", "9000.00", "Projektledning, oktober"),
            ("3010", "25", "6000.00", "Konsulttimmar"),
            ("3042", "12", "1500.00", "Kost och logi"),
            ("3740", "0", "807.50", "Utlägg utan moms"),
        ],
    ),
    1003: ("10002", "2", "6250.00", [("3010", "25", "5000.00", "Ritningar")]),
    1004: ("10002", "2", "1060.00", [("3043", "6", "1000.00", "Böcker och tryck")]),
    1005: ("10003", "3", "31250.00", [("3010", "25", "25000.00", "Detaljplan, etapp 2")]),
    1006: ("10003", "3", "418.00", [("3010", "25", "334.23", "Utskrifter")]),  # rounded to kronor: 417.79
    1007: ("10004", "4", "18000.00", [("3305", "0", "18000.00", "Review, export of services")]),
    1008: ("10005", "5", "8437.50", [("3010", "25", "6750.00", "Förstudie")]),
    1009: ("10005", None, "625.00", [("3010", "25", "500.00", "Stämmoprotokoll")]),
    1010: ("10006", None, "1250.00", [("3010", "25", "1000.00", "Rådgivning")]),
    1011: ("10007", "6", "3750.00", [("3010", "25", "3000.00", "Serviceavtal, november")]),
    1012: (
        "10007",
        "6",
        "1249.99",
        [
            ("3010", "25", "333.33", "Timmar"),
            ("3010", "25", "333.33", "Timmar"),
            ("3001", "25", "333.33", "Resa"),
        ],
    ),
    1013: ("10001", "1", "625.00", [("3010", "25", "500.00", "Möte “på plats” 🙂")]),
    1014: ("10003", "3", "1250.00", [("3599", "25", "1000.00", "Konto som inte finns")]),
    1016: ("10008", None, "10000.00", [("3308", "0", "10000.00", "Konstruktionsritningar")]),  # reverse charge
}
CREDIT_NOTE = 1015  # credits a part of 1003
VAT_NUMBERS = {"10008": ("DE123456788", "EUREVERSEDVAT")}  # customers' VAT numbers and types, where they have any
WITH_FILES = {1001: 1, 1005: 2}


@dataclass(frozen=True)
class Expected:
    """What the ledger holds at the end of the day."""

    customers: dict[str, str]  # number: name
    projects: dict[str, str]  # number: description
    invoices: dict[int, tuple[Decimal, int]]  # number: total including VAT, files
    failed: frozenset[str]  # event ids


def expected() -> Expected:
    customers = {number: name for number, (name, *_) in CUSTOMERS.items()}
    customers |= {"10002": "Ö-viks Kök & Bad AB", "10007": "Bergs ’’Allservice’’ (Nord)"}
    projects = {number: name for number, (name, *_) in PROJECTS.items()}
    # Fortnox takes 50 characters.
    projects |= {"1": "Ombyggnad, etapp 2", "5": "Takbyte och tilläggsisolering av samtliga"}
    invoices = {number: (Decimal(total), WITH_FILES.get(number, 0)) for number, (_, _, total, _) in INVOICES.items()}
    del invoices[1014]
    invoices[CREDIT_NOTE] = (Decimal("-1250.00"), 0)
    return Expected(customers, projects, invoices, frozenset({FAILING}))


# Supplier invoices that people enter in Fortnox: what the sandbox is told, beside supplier and number
SUPPLIER_INVOICES: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("Virke AB", "F-2231", _cost("1", Debit="8400.00", ItemDescription="Reglar och plywood"), {"vat": "2100.00"}),
    (
        "Stahl GmbH",
        "7781",
        _cost("2", Debit="5710.00", DebitCurrency="500.00", ItemDescription="Beslag"),
        {"invoice": {"Currency": "EUR", "CurrencyRate": "11.42", "Total": "500.00"}},
    ),
    ("Virke AB", "K-18", _cost("1", Credit="400.00", ItemDescription="Retur, plywood"), {"vat": "-100.00"}),
    ("Kranar i Syd AB", "9001", _cost("1", Debit="12000.00"), {"approved": False}),
    ("Pappershuset", "55", _cost("1", Debit="310.00", Account=6110), {}),
)
# Those that become expenses: of the last two, one waits for approval, and one is on an account that was not chosen
EXPENSES = {"fortnox:1:3": "8400.00", "fortnox:2:2": "5710.00", "fortnox:3:3": "-400.00"}


def working_day(authorization_code: str) -> list[Event]:
    """The day's events in order: the integration is enabled first."""
    day = [
        _event("enabled", "integration.enabled", integration=_integration(authorization_code)),
        *(_customer(number) for number in CUSTOMERS),
        *(_project(number) for number in PROJECTS),
        *(_invoice(number) for number in list(INVOICES)[:6]),
        # A burst: somebody types in a customer's card and saves five times.
        *(_customer("10002", name, step) for step, name in enumerate(_TYPING, start=1)),
        _project("1", "Ombyggnad, etapp 2"),
        *(_invoice(number) for number in list(INVOICES)[6:]),
        _credit_note(),
    ]
    return day


_TYPING = ("Ö-viks Kök", "Ö-viks Kök &", "Ö-viks Kök & Bad", "Ö-viks Kök & Bad A", "Ö-viks Kök & Bad AB")


def _event(event_id: str, event_type: str, **body: Any) -> Event:
    return {
        "id": event_id,
        "company": COMPANY,
        "type": event_type,
        "occurredAt": "2026-11-20T09:00:00Z",
        **body,
    }


def _integration(code: str) -> dict[str, Any]:
    return {
        "authorizationCode": code,
        "serviceAccount": True,
        "errorEmail": ERROR_EMAIL,
        "transfers": {"customers": True, "projects": True, "invoices": True},
        "expenses": {"enabled": True, "accountNumbers": ["4010"], "billableByDefault": True, "fromDate": None},
    }


def _customer(number: str, name: str | None = None, step: int = 0) -> Event:
    first_name, organization, address, zip_code, city, country = CUSTOMERS[number]
    suffix, kind = (f"-{step}", "updated") if name else ("", "created")
    return _event(
        f"customer-{number}{suffix}",
        f"customer.{kind}",
        sequence=step + 1,
        customer={
            "id": 62_780_000 + int(number),
            "customerNumber": number,
            "name": name or first_name,
            "organizationNumber": organization,
            "email": f"faktura@kund{number}.example",
            "address": {
                "address1": address,
                "address2": None,
                "zipCode": zip_code,
                "city": city,
                "countryCode": country,
            },
        },
    )


def _project(number: str, name: str | None = None) -> Event:
    first_name, start, end, state = PROJECTS[number]
    return _event(
        f"project-{number}" + ("-renamed" if name else ""),
        "project.updated" if name else "project.created",
        project={
            "id": 62_790_000 + int(number),
            "projectNumber": number,
            "name": name or first_name,
            "startDate": start,
            "endDate": end,
            "createdDate": "2026-10-31T23:30:00Z",
            "projectState": state,
        },
    )


def _invoice(number: int) -> Event:
    customer, project, total, lines = INVOICES[number]
    return _event(
        f"invoice-{number}",
        "invoice.finalized",
        invoice=_invoice_body(number, customer, project, total, lines),
    )


def _credit_note() -> Event:
    customer, project = INVOICES[1003][:2]
    lines = [("3010", "25", "-1000.00", "Kreditering, del av faktura 1003")]
    body = _invoice_body(CREDIT_NOTE, customer, project, "-1250.00", lines)
    return _event(f"invoice-{CREDIT_NOTE}", "invoice.finalized", invoice=body | {"creditedInvoiceNumber": 1003})


def _invoice_body(
    number: int, customer: str, project: str | None, total: str, lines: list[tuple[str, str, str, str]]
) -> dict[str, Any]:
    return {
        "id": 106_939_000 + number,
        "invoiceNumber": number,
        "creditedInvoiceNumber": None,
        "description": "November",
        "customer": {"id": 62_780_000 + int(customer), "customerNumber": customer},
        "project": {"id": 62_790_000 + int(project), "projectNumber": project} if project else None,
        "invoiceDate": "2026-11-20",
        "dueDate": "2026-12-20",
        "paymentId": f"{number}{luhn.calc_check_digit(str(number))}" if total[0] != "-" else None,
        "currencyCode": "SEK",
        "totalIncludingVat": total,
        "yourReference": "Anna Ek",
        "theirReference": "Bo Lind",
        "lines": [
            {
                "description": text,
                "accountNumber": account,
                "vatPercentage": vat,
                "quantity": "1",
                "unitPrice": amount,
                "amountExcludingVat": amount,
            }
            for account, vat, amount, text in lines
        ],
        "attachments": [_file(number, position) for position in range(1, WITH_FILES.get(number, 0) + 1)],
    }


def _file(number: int, position: int) -> dict[str, str]:
    name = f"faktura-{number}.pdf" if position == 1 else f"underlag-{number}-{position - 1}.pdf"
    content = f"%PDF-1.4\n% sample file {name}\n%%EOF\n".encode()
    return {"fileName": name, "contentType": "application/pdf", "content": base64.b64encode(content).decode()}
