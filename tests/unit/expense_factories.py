"""Supplier invoices as Fortnox answers them, small enough to read."""

from typing import Any

from fortnox.models import SupplierInvoice
from mappers.expense import ProjectState, Rules

GOOD = ProjectState(in_moment=True, starts=True)


def a_row(**overrides: Any) -> dict[str, Any]:
    return {
        "Account": 4010,
        "Code": "",
        "Debit": 1000,
        "Credit": 0,
        "Project": "1",
        "ItemDescription": "Reglar",
    } | overrides


def payable(total: str = "1250") -> dict[str, Any]:
    return a_row(Account=2440, Code="TOT", Debit=0, Credit=total, Project="", ItemDescription="")


def vat(amount: str = "250") -> dict[str, Any]:
    return a_row(Account=2640, Code="VAT", Debit=amount, Project="", ItemDescription="")


def a_supplier_invoice(*rows: dict[str, Any], **overrides: Any) -> SupplierInvoice:
    return SupplierInvoice.model_validate(
        {
            "GivenNumber": "17",
            "InvoiceNumber": "F-7",
            "SupplierName": "Virke AB",
            "InvoiceDate": "2026-11-02",
            "Booked": True,
            "Cancelled": False,
            "Credit": False,
            "Currency": "SEK",
            "Project": "",
            "SupplierInvoiceRows": list(rows) or [payable(), vat(), a_row()],
        }
        | overrides
    )


def some_rules(**overrides: Any) -> Rules:
    return Rules(**({"accounts": ("4010",)} | overrides))
