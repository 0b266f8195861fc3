"""A payment of an invoice as Moment takes it. Pure. No I/O.

The endpoint is not in Moment's public documentation: docs/payments.md lists what is assumed of it.
"""

from datetime import date
from typing import Any, Literal

from moment.events import Model
from moment.expenses import Amount

PaymentKind = Literal["payment", "creditNote", "writeOff"]


class MomentPayment(Model):
    """What settles a part of an invoice. The amount is in the invoice's currency, negative where it raises the debt."""

    invoice_number: str
    external_id: str
    kind: PaymentKind
    date: date
    amount: Amount
    currency_code: str

    def fields(self) -> dict[str, Any]:
        """Return the payment as it is sent: the address has its invoice and its id."""
        return self.model_dump(mode="json", by_alias=True, exclude={"invoice_number", "external_id"})

    @property
    def digest(self) -> str:
        """Distinguish versions."""
        return f"{self.kind} {self.date} {self.amount:.2f} {self.currency_code}"
