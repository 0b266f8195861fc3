"""Random invoices and credit notes of several companies, with what their ledgers must hold at the end. Pure.

The same count and seed give the same plan.
"""

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from tests.ledger.knobs import AS_USUAL, Expected, drawn
from tests.unit.factories import a_line, an_attachment, customer_json, invoice_json, project_json

ACCOUNTS: Final = ("3001", "3010", "3041", "3050", "3520", "3740")
RATES: Final = ("25", "12", "6", "0")
TEXTS: Final = (
    "Konsulttimmar",
    "Resor & traktamente",
    "Ändring <nr 3> “akut”",
    "Åtgärd 1/2…",
    None,
    "Städ \N{SPARKLES}",
)
BEFORE: Final = 900  # an invoice number from before the integration was switched on
PER_COMPANY: Final = 40


@dataclass(frozen=True)
class File:
    """A file on Moment's shelf, or inside an event. `gone`: Moment answers 404."""

    name: str
    content: bytes
    gone: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Document:
    """One invoice or credit note: its event, and what must be there of it."""

    event: dict[str, Any]
    files: frozenset[str]  # digests
    missing: frozenset[str]  # names

    @property
    def number(self) -> int:
        return int(self.event["invoice"]["invoiceNumber"])

    @property
    def total(self) -> Decimal:
        return Decimal(self.event["invoice"]["totalIncludingVat"])

    @property
    def credited(self) -> int | None:
        return self.event["invoice"]["creditedInvoiceNumber"]  # type: ignore[no-any-return]


@dataclass
class Company:
    name: str
    masters: list[dict[str, Any]]  # customers and projects
    documents: list[Document] = field(default_factory=list)
    shelf: list[File] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)  # of its ledger
    card: dict[str, Any] = field(default_factory=dict)  # of its customers, entered before it is connected
    expected: Expected = AS_USUAL


def plan(count: int, seed: int, moment: str) -> list[Company]:
    """`count` documents dealt to companies. `moment`: the origin of the files' addresses."""
    companies = [_company(f"c{n:03}") for n in range(min(count, max(20, count // PER_COMPANY)))]
    for company, ledger in zip(companies, drawn(seed, len(companies)), strict=True):
        company.settings, company.card, company.expected = ledger
    dice = random.Random(seed)
    for n in range(count):
        company = companies[n % len(companies)]
        company.documents.append(_document(dice, company, moment))
    return companies


def _company(name: str) -> Company:
    customers = [customer_json(company=name, event_id=f"c{n}", customer_number=str(n)) for n in (1, 2)]
    projects = [project_json(company=name, event_id=f"p{n}", project_number=str(n)) for n in (1, 2)]
    return Company(name, [*customers, *projects])


def _document(dice: random.Random, company: Company, moment: str) -> Document:
    number = 1001 + len(company.documents)
    sign, credited = 1, None
    if dice.random() < 0.3:
        sign = -1
        invoices = [one.number for one in company.documents if one.total > 0]
        # one of ours, perhaps once more; one from before the integration; none
        credited = dice.choice([*invoices[-3:], dice.randint(1, BEFORE), None])
    lines = [_line(dice, sign) for _ in range(dice.randint(1, 8))]
    currency, rate = dice.choice([("SEK", None)] * 5 + [("EUR", None), ("EUR", "11.4200"), ("JPY", "0.0691")])
    exact = sum(Decimal(line["amountExcludingVat"]) * (100 + Decimal(line["vatPercentage"])) / 100 for line in lines)
    unit = Decimal("1" if company.expected.whole_kronor else dice.choice(["0.01", "0.01", "1"]))
    total = Decimal(exact).quantize(unit, ROUND_HALF_UP)
    if credited is not None and total > 0:
        credited = None
    attachments, files, missing = _attachments(dice, company, moment, number)
    event = invoice_json(
        company=company.name,
        event_id=f"i{number}",
        id=500_000 + number,
        invoice_number=number,
        credited_invoice_number=credited,
        customer={"id": 1, "customer_number": dice.choice("12")},
        project=dice.choice([None, {"id": 1, "project_number": "1"}]),
        payment_id=dice.choice([None, f"{number}9", "10017"]),
        currency_code=currency,
        currency_rate=rate,
        total_including_vat=str(total),
        lines=lines,
        attachments=attachments,
        description=dice.choice(TEXTS),
    )
    return Document(event, frozenset(files), frozenset(missing))


def _line(dice: random.Random, sign: int) -> dict[str, Any]:
    backwards = -1 if dice.random() < 0.1 else 1  # a discount, or a fee on a credit note
    amount = Decimal(dice.randint(0, 5_000_000)).scaleb(-dice.choice((0, 2, 2, 2, 4))) * sign * backwards
    return a_line(
        description=dice.choice(TEXTS),
        account_number=dice.choice(ACCOUNTS),
        vat_percentage=dice.choice(RATES),
        amount_excluding_vat=f"{amount:f}",
        project=dice.choice([None, None, {"id": 2, "project_number": "2"}]),
    )


def _attachments(
    dice: random.Random, company: Company, moment: str, number: int
) -> tuple[list[dict[str, Any]], set[str], set[str]]:
    made = [_file(dice, number, n) for n in range(dice.choice((0, 0, 1, 1, 2, 3)))]
    company.shelf += made
    attachments = [_fetched(company, moment, file) for file in made]
    for file in made:
        if file.gone:
            continue
        how = dice.random()
        if how < 0.1:  # named twice
            attachments.append(_fetched(company, moment, file))
        elif how < 0.2:  # the same content under another name, and inside the event
            content = base64.b64encode(file.content).decode()
            attachments.append(an_attachment(file_name=f"kopia av {file.name}", url=None, content=content))
    dice.shuffle(attachments)
    return attachments, {file.sha256 for file in made if not file.gone}, {file.name for file in made if file.gone}


def _file(dice: random.Random, number: int, n: int) -> File:
    filling = dice.randbytes(dice.randint(10, 20_000))
    return File(f"bilaga å {number}-{n}.pdf", b"%PDF-1.4 " + filling, gone=dice.random() < 0.05)


def _fetched(company: Company, moment: str, file: File) -> dict[str, Any]:
    name = file.name.replace(" ", "%20").replace("å", "%C3%A5")
    url = f"{moment}/api/1.0/companies/{company.name}/files/{name}"
    return an_attachment(file_name=file.name, url=url)


def documents(companies: list[Company]) -> Iterator[tuple[Company, Document]]:
    return ((company, document) for company in companies for document in company.documents)
