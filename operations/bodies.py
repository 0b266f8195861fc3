"""What was received as an event, for a person to look at: without files, and personal data masked. Pure."""

import json
from typing import Any, Final

# Fields that say nothing of a person. Every other value is masked, so that a field nobody knows yet is.
PLAIN: Final = frozenset(
    {
        *("id", "company", "type", "occurredAt", "sequence"),
        *("customerNumber", "projectNumber", "invoiceNumber", "creditedInvoiceNumber", "countryCode"),
        *("startDate", "endDate", "createdDate", "projectState", "invoiceDate", "dueDate", "fromDate"),
        *("paymentId", "currencyCode", "currencyRate", "totalIncludingVat", "accountNumber", "accountNumbers"),
        *("vatPercentage", "quantity", "unitPrice", "amountExcludingVat", "contentType"),
    }
)
MASK: Final = "***"


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
        return f"({len(str(value))} characters)"
    if name.replace("_", "").casefold() == "authorizationcode":
        return MASK
    return value if unmasked or name in PLAIN else MASK
