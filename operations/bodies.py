"""What was received as an event, sent to Fortnox and answered, for a person to look at. Pure.

Files are left out, and personal data is masked.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

# Fields that say nothing of a person. Every other value is masked, so that a field nobody knows yet is.
PLAIN: Final = frozenset(
    {
        *("id", "company", "type", "occurredAt", "sequence"),
        *("customerNumber", "projectNumber", "invoiceNumber", "creditedInvoiceNumber", "countryCode"),
        *("startDate", "endDate", "createdDate", "projectState", "invoiceDate", "dueDate", "fromDate"),
        *("paymentId", "currencyCode", "currencyRate", "totalIncludingVat", "accountNumber", "accountNumbers"),
        *("vatPercentage", "quantity", "unitPrice", "amountExcludingVat", "contentType"),
        # Fortnox's
        *("CustomerNumber", "ProjectNumber", "DocumentNumber", "InvoiceDate", "DueDate", "Currency", "CurrencyRate"),
        *("CurrencyUnit", "AccountNumber", "VAT", "VATIncluded", "VATType", "Price", "DeliveredQuantity", "Discount"),
        *("Project", "CostCenter", "OCR", "CreditInvoiceReference", "AdministrationFee", "Freight", "CountryCode"),
        *("StartDate", "EndDate", "Status", "Total", "code", "Code", "error", "Error", "message", "Message"),
    }
)
MASK: Final = "***"


class ShownWrite(NamedTuple):
    """A write to Fortnox: what was sent, and the answer, as JSON; None where there was no body."""

    at: datetime
    request: str  # `POST /3/invoices → 400`
    sent: Any
    answered: Any


class ShownBodies(NamedTuple):
    """What was received as an event, None where it is no longer kept, and the last write of each kind, oldest first."""

    received: Any
    writes: list[ShownWrite]


def shown_write(kept: Mapping[str, Any], *, unmasked: bool) -> ShownWrite:
    """The write as it was kept (`stores.bodies`), masked like what was received."""
    sent, answered = (received(kept[name], unmasked=unmasked) if kept[name] else None for name in ("sent", "answered"))
    request = f"{kept['method']} {kept['path']} → {kept['status']}"
    return ShownWrite(datetime.fromtimestamp(kept["at"], UTC), request, sent, answered)


def received(body: str, *, unmasked: bool) -> Any:
    """The event as JSON, with `***` in place of what may be personal. Text that is no JSON object is masked whole.

    The content of files and the authorization code are left out always.
    """
    try:
        found = json.loads(body)
    except ValueError:
        found = body
    return _shown(found, "", unmasked)


def _shown(value: Any, name: str, unmasked: bool) -> Any:
    if isinstance(value, dict):
        return {key: _shown(one, key, unmasked) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one, name, unmasked) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if name == "content":
        return value if str(value).startswith("(") else f"({len(str(value))} characters)"  # the first: as it was kept
    if name.replace("_", "").casefold() == "authorizationcode":
        return MASK
    return value if unmasked or name in PLAIN else MASK
