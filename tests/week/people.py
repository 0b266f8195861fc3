"""What people do in a company in a week: in Fortnox and in Moment, at random but by a seed."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from local.sandbox import Sandbox

ACCOUNTS: Final = (
    4010,
    4010,
    4010,
    4010,
    4010,
    4020,
    5410,
    5410,
    5410,
    6540,
    6540,
    1930,
    2641,
    2445,
)  # the last three are no costs
PROJECTS: Final = ("P1", "P2", "P3", "P4", "P5", "P6")
AT_FIRST: Final = ("P1", "P2")  # on both sides, with a start date
TEXTS: Final = ("Reglar", "Konsult vecka 43", "Resa tur och retur", "", "", "Hyra, lift & ställning", "Åäö 100 %")
SUPPLIERS: Final = ("Virke AB", "Kran & Co", "Elgrossen", "")


@dataclass
class Bill:
    """A supplier invoice as its company's people have it before them."""

    number: str
    fields: dict[str, Any]
    rows: list[dict[str, Any]]
    vat: str


@dataclass
class Company:
    """A company's people. Each action returns what it did, in a few words."""

    name: str
    random: random.Random
    sandbox: Sandbox
    bills: list[Bill] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def act(self, today: date) -> str:
        """One thing that people do in Fortnox."""
        weighted: tuple[tuple[int, Callable[[date], str]], ...] = (
            (8, self.enters),
            (4, self.books),
            (5, self.approves),
            (2, self.cancels),
            (7, self.corrects),
            (2, self.credits),
            (1, self.sends_for_approval_anew),
        )
        action = self.random.choices([one for _, one in weighted], [weight for weight, _ in weighted])[0]
        return action(today) if self.bills else self.enters(today)

    def enters(self, today: date) -> str:
        late = self.random.choice((0, 0, 1, 3, 20))
        fields: dict[str, Any] = {
            "SupplierName": self.random.choice(SUPPLIERS),
            "InvoiceNumber": f"F-{len(self.bills) + 1}",
            "InvoiceDate": (today - timedelta(days=late)).isoformat(),
            "Project": self.random.choice(("", *AT_FIRST, *PROJECTS)),
            "Currency": self.random.choice(("SEK", "SEK", "SEK", "EUR")),
        }
        rows = [self._row(fields["Currency"]) for _ in range(self.random.choice((1, 1, 2, 3)))]
        vat = self.random.choice(("0", "0", "125.50"))
        booked, approved = self.random.random() < 0.7, self.random.random() < 0.6
        return self._enters(fields, rows, vat, booked=booked, approved=approved)

    def enters_plainly(self, today: date, *, approved: bool = True, project: str = "P1") -> str:
        """One that counts at once, by most companies' choices."""
        fields = {"SupplierName": "Virke AB", "InvoiceNumber": f"P-{len(self.bills) + 1}", "Project": project}
        row = {"Account": 4010, "Debit": f"{self.random.randrange(1, 10_000)}.00", "ItemDescription": "Nattarbete"}
        fields |= {"InvoiceDate": today.isoformat(), "Currency": "SEK"}
        done = self._enters(fields, [row], "0", booked=True, approved=approved)
        if not approved:
            self.waiting.append(self.bills[-1].number)
        return done

    def approves_the_last_that_waits(self) -> str:
        """Approval alone, which shows in no date of change."""
        number = self.waiting.pop()
        self.sandbox.post(f"supplierinvoices/{number}/approve", {"tenant": self.name})
        return f"approves {number}"

    def _enters(self, fields: dict[str, Any], rows: list[dict[str, Any]], vat: str, **marks: bool) -> str:
        bill = Bill("", fields, rows, vat)
        bill.number = self._submits(bill, **marks)
        self.bills.append(bill)
        states = ", ".join(name if so else f"not {name}" for name, so in marks.items())
        return f"enters {bill.number}, {states}: {_in_words(bill)}"

    def _submits(self, bill: Bill, **marks: bool) -> str:
        given = {**bill.fields, "SupplierInvoiceRows": bill.rows} | (
            {"GivenNumber": bill.number} if bill.number else {}
        )
        body = {"tenant": self.name, "invoice": given, "vat": bill.vat, **marks}
        return str(self.sandbox.post("supplierinvoices", body)["GivenNumber"])

    def _row(self, currency: str) -> dict[str, Any]:
        amount = Decimal(self.random.randrange(1, 2_000_000)) / 100
        side = self.random.choices(("Debit", "Credit"), (9, 1))[0]
        if self.random.random() < 0.04:
            amount = Decimal(0)
        row: dict[str, Any] = {
            "Account": self.random.choice(ACCOUNTS),
            side: f"{amount:.2f}",
            "Project": self.random.choice(("", "", "", *AT_FIRST, *AT_FIRST, *PROJECTS)),
            "ItemDescription": self.random.choice(TEXTS),
            "TransactionInformation": self.random.choice(("", "", "Enligt avtal")),
        }
        return row | ({f"{side}Currency": f"{amount / 11:.2f}"} if currency != "SEK" else {})

    def books(self, _: date) -> str:
        return self._does("book")

    def approves(self, _: date) -> str:
        return self._does("approve")

    def cancels(self, _: date) -> str:
        return self._does("cancel")

    def _does(self, action: str) -> str:
        bill = self._one()
        self.sandbox.post(f"supplierinvoices/{bill.number}/{action}", {"tenant": self.name})
        return f"{action}s {bill.number}"

    def sends_for_approval_anew(self, _: date) -> str:
        bill = self._one()
        self._submits(bill, approved=False)
        return f"sends {bill.number} for approval anew"

    def corrects(self, today: date) -> str:
        bill = self._one()
        row = self.random.choice(bill.rows)
        what = self.random.choice(("amount", "account", "project", "text", "date", "supplier", "less", "more", "vat"))
        match what:
            case "amount" | "account" | "text" | "project":
                new = self._row(bill.fields["Currency"])
                names = {"account": ("Account",), "text": ("ItemDescription",), "project": ("Project",)}.get(
                    what, ("Debit", "Credit", "DebitCurrency", "CreditCurrency")
                )
                for name in names:
                    row.pop(name, None)
                row.update({name: new[name] for name in names if name in new})
            case "date":
                bill.fields["InvoiceDate"] = (today - timedelta(days=self.random.randrange(40))).isoformat()
            case "supplier":
                bill.fields["SupplierName"] = self.random.choice(SUPPLIERS)
            case "less" if len(bill.rows) > 1:
                bill.rows.remove(row)
            case "vat":
                bill.vat = "0" if bill.vat != "0" else "99.00"
            case _:
                bill.rows.append(self._row(bill.fields["Currency"]))
        self._submits(bill)
        return f"corrects {bill.number} ({what}): {_in_words(bill)}"

    def credits(self, today: date) -> str:
        """A credit note: with its sides exchanged, or marked as one and written like the invoice."""
        like = self._one()
        fields = {**like.fields, "InvoiceDate": today.isoformat(), "InvoiceNumber": f"K-{len(self.bills) + 1}"}
        if self.random.random() < 0.5:
            return self._enters({**fields, "Credit": True}, [dict(r) for r in like.rows], like.vat, booked=True)
        rows = [{_other(name): value for name, value in row.items()} for row in like.rows]
        return self._enters(fields, rows, "0", booked=True)

    def _one(self) -> Bill:
        """One of them, rather a late one."""
        return self.bills[max(self.random.randrange(len(self.bills)) for _ in range(2))]

    # Projects, and Moment

    def adds_project(self, number: str, *, in_moment: bool = True, start: bool = True) -> str:
        if in_moment:
            self.sandbox.moment_project(self.name, number)
        self.sandbox.post(
            "projects", {"tenant": self.name, "number": number, **({"StartDate": "2026-01-01"} if start else {})}
        )
        return f"project {number}" + (" in Moment" if in_moment else "") + (", with a start date" if start else "")

    def late_projects(self) -> Iterator[tuple[str, bool, bool]]:
        """Steps by which the projects that are not there at first come to be: number, in Moment, with start date."""
        for number in PROJECTS[len(AT_FIRST) :]:
            first = self.random.choice(((True, False), (False, True), None))
            if first is not None:
                yield number, *first
            yield number, True, True


def _other(name: str) -> str:
    if name.startswith("Debit"):
        return name.replace("Debit", "Credit")
    return name.replace("Credit", "Debit") if name.startswith("Credit") else name


def _in_words(bill: Bill) -> str:
    return f"{_values(bill.fields.values())}, VAT {bill.vat}, rows " + "; ".join(_values(r.values()) for r in bill.rows)


def _values(values: Iterable[Any]) -> str:
    return " ".join(str(value) for value in values if value != "")
