"""An expense as Moment takes it. Pure. No I/O.

The endpoint is not in Moment's public documentation: docs/expenses.md lists what is assumed of it.
"""

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer

from moment.events import Model


def _two_decimals(amount: Decimal) -> str:
    return f"{amount:.2f}"


MOST: Final = Decimal(10**13)  # more than any amount; far below what arithmetic can choke on
Amount = Annotated[Decimal, Field(gt=-MOST, lt=MOST), PlainSerializer(_two_decimals, return_type=str)]


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
        """Return the expense as it is sent."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def digest(self) -> str:
        """Distinguish versions, by all fields but two: rows move, and `billable` is changed by people in Moment."""
        fields = {name: value for name, value in self.fields().items() if name not in ("billable", "externalId")}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]

    def as_found(self, document: Any) -> bool | None:
        """Return whether an expense read from Moment is equal but for `billable`; None if it cannot be read."""
        try:
            return Expense.model_validate(document).digest == self.digest
        except ValueError:
            return None
