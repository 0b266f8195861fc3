"""An expense as Moment takes it. Pure. No I/O.

The endpoint is not in Moment's public documentation: docs/expenses.md lists what is assumed of it.
"""

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainSerializer

from moment.events import Model


def _two_decimals(amount: Decimal) -> str:
    return f"{amount:.2f}"


Amount = Annotated[Decimal, PlainSerializer(_two_decimals, return_type=str)]


class Expense(Model):
    """One row of a supplier invoice. The amount is in the ledger's own currency, which `currency_code` names."""

    external_id: str
    project_number: str
    date: date
    description: str | None
    supplier_name: str | None
    supplier_invoice_number: str | None
    account_number: str
    amount_excluding_vat: Amount
    currency_code: str
    billable: bool

    def fields(self) -> dict[str, Any]:
        """As it goes over the wire."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def digest(self) -> str:
        """Tells versions apart. Rows move, and `billable` is a person's to change in Moment: both are left out."""
        fields = {name: value for name, value in self.fields().items() if name not in ("billable", "externalId")}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]

    def as_found(self, document: Any) -> bool | None:
        """Whether an expense read from Moment says the same but for `billable`; None when it cannot be read."""
        try:
            return Expense.model_validate(document).digest == self.digest
        except ValueError:
            return None
