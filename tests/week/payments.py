"""What customers pay in a simulated week, and what Moment should have of it by docs/payments.md. Plain and slow.

Written from the document, and free of the product's code.
"""

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from local.sandbox import Sandbox

INVOICES: Final = (1, 2, 3)
TOTAL: Final = Decimal("12500.00")


class Payers:
    """The customers of one company, and the person who registers what they pay."""

    def __init__(self, name: str, chance: random.Random, sandbox: Sandbox) -> None:
        self.name, self.random, self.sandbox = name, chance, sandbox
        self.payments: list[str] = []  # those that are not deleted

    def act(self, today: str) -> str:
        """Register, change, take back or delete a payment."""
        act = self.random.choice(("pays", "pays", "changes", "takes back", "posts", "deletes"))
        if act == "pays" or not self.payments:
            invoice = self.random.choice(INVOICES)
            given = {"invoice": str(invoice), "amount": self._amount(), "date": today}
            if self.random.random() < 0.2:
                given["written_off"] = "0.40"
            self.payments.append(str(self._post("invoicepayments", given)["Number"]))
            return f"somebody pays {given['amount']} of invoice {invoice}: payment {self.payments[-1]}"
        number = self.random.choice(self.payments)
        if act == "changes":
            self._post("invoicepayments", {"number": number, "amount": self._amount(), "date": today})
        elif act == "deletes":
            self.payments.remove(number)
            self.sandbox.delete(f"invoicepayments/{number}?tenant={self.name}")
        else:
            self._post(f"invoicepayments/{number}/{'book' if act == 'posts' else 'unbook'}", {})
        return f"{act} payment {number}"

    def _amount(self) -> str:
        return f"{self.random.randrange(100, 500000) / 100:.2f}"

    def _post(self, control: str, given: dict[str, Any]) -> Any:
        return self.sandbox.post(control, {"tenant": self.name, **given})


def wrong(ledger: Mapping[str, Any], moment: Mapping[str, Any]) -> Iterator[str]:
    """How Moment's payments differ from the rule."""
    wanted = dict(_wanted(ledger))
    there = {
        (one["invoiceNumber"], one["externalId"]): (one["kind"], Decimal(one["amount"]), one["currencyCode"])
        for one in moment["payments"]
    }
    for name in wanted.keys() | there.keys():
        if wanted.get(name) != there.get(name):
            yield f"payment {name} is {there.get(name)}, and should be {wanted.get(name)}"


def _wanted(ledger: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], tuple[str, Decimal, str]]]:
    for invoice in ledger["invoices"]:
        number, currency = invoice["DocumentNumber"], invoice["Currency"]
        paid = Decimal(0)
        for payment in ledger["invoicePayments"]:
            if str(payment["InvoiceNumber"]) == number and payment["Booked"]:
                amount = Decimal(str(payment["AmountCurrency"]))
                paid += amount
                yield (number, f"fortnox:{payment['Number']}"), ("payment", amount, currency)
        rest = Decimal(str(invoice["Total"])) - Decimal(str(invoice["Balance"])) - paid
        if rest:
            yield (number, f"fortnox:written-off:{number}"), ("writeOff", rest, currency)
