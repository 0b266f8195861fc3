"""Compares ledgers, events and log with the plan: each way in which money or files could be wrong. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.ledger.knobs import Expected
from tests.ledger.plan import Company, Document

WRITTEN_ONCE = {"POST": 1, "bookkeep": 1}
ROUNDING = 3740
LOST_UPLOADS = "unanswered POST /3/inbox"

Ledger = Mapping[str, Any]
Booking = tuple[int, Decimal, str]  # account, VAT rate, project


def broken(company: Company, ledger: Ledger, reasons: Mapping[str, str], logged: Sequence[str]) -> list[str]:
    """What is wrong with a company. `reasons`: of its done events; `logged`: digests of uploads that were lost."""
    wrong = [*_documents(company, ledger, reasons), *_sums(company, ledger), *_orphans(ledger, logged)]
    counters = ledger["counters"]
    wrong += [f"{name}: {counters[name]}" for name in _NEVER if counters.get(name)]
    return [f"{company.name}: {one}" for one in wrong]


_NEVER = ("invoices.duplicates_refused", "invoices.bookkeep_repeated")


def _documents(company: Company, ledger: Ledger, reasons: Mapping[str, str]) -> Iterator[str]:
    found = {int(one["DocumentNumber"]): one for one in ledger["invoices"]}
    wanted = {document.number: document for document in company.documents}
    for number in sorted(found.keys() ^ wanted.keys()):
        yield f"{number} is {'there and was not billed' if number in found else 'missing'}"
    for number in sorted(found.keys() & wanted.keys()):
        reason = reasons.get(f"i{number}")
        for wrong in _document(found[number], wanted[number], found.keys(), reason, company.expected):
            yield f"{number} {wrong}"


def _document(found: Ledger, wanted: Document, numbers: Any, reason: str | None, expected: Expected) -> Iterator[str]:
    total = Decimal(str(found["Total"]))
    if total != wanted.total:
        yield f"comes to {total}, billed was {wanted.total}"
    yield from _head(found, wanted)
    if found["writes"] != WRITTEN_ONCE or not found["Booked"]:
        yield f"was written {found['writes']}, booked: {found['Booked']}"
    linked = sorted(one["sha256"] for one in found["attachments"])
    if linked != sorted(wanted.files):
        yield f"has the files {linked}, not {sorted(wanted.files)}"
    if not all(one["includeOnSend"] for one in found["attachments"]):  # few, small, and PDFs
        yield "has files that do not go along when it is sent"
    if reason is None:
        yield "is not done"
    elif untold := [name for name in wanted.missing if name not in reason]:
        yield f"does not tell of {untold}: {reason!r}"
    elif not wanted.missing and "without these files" in reason:
        yield f"tells of files that are there: {reason!r}"
    if wanted.credited is not None:
        told = reason is not None and f"not linked to invoice {wanted.credited}" in reason  # a fault refused the link
        link = str(wanted.credited) if wanted.credited in numbers and not told else "0"
        if (found["InvoiceReference"], found["ExternalInvoiceReference2"]) != (link, str(wanted.credited)):
            yield f"credits {found['InvoiceReference']}, not {link}"
        if expected.unlinked and not told:
            yield f"is not said to be without a link to {wanted.credited}"


def _head(found: Ledger, wanted: Document) -> Iterator[str]:
    customer = wanted.event["invoice"]["customer"]["customerNumber"]
    if found["CustomerNumber"] != customer:
        yield f"is of customer {found['CustomerNumber']}, not {customer}"
    if found["Project"] != project(wanted):
        yield f"is on project {found['Project']}, not {project(wanted)}"
    if (total_vat := Decimal(str(found["TotalVAT"]))) != vat(wanted):
        yield f"has VAT {total_vat}, not {vat(wanted)}"
    there: dict[Booking, Decimal] = defaultdict(Decimal)
    for row in found["InvoiceRows"]:
        net = Decimal(str(row["Price"])) * Decimal(str(row["DeliveredQuantity"]))
        there[int(row["AccountNumber"]), Decimal(str(row["VAT"])), row["Project"] or found["Project"]] += net
    if (booked := {key: net for key, net in there.items() if net}) != rows(wanted):
        yield f"has the rows {booked}, not {rows(wanted)}"


def rows(wanted: Document) -> dict[Booking, Decimal]:
    """What is to be booked, the rounding included; reckoned here, apart from the mapper."""
    booked = defaultdict(Decimal, _nets(wanted))
    booked[ROUNDING, Decimal(0), project(wanted)] += wanted.total - sum(booked.values()) - vat(wanted)
    return {key: net for key, net in booked.items() if net}


def project(wanted: Document) -> str:
    return (wanted.event["invoice"]["project"] or {}).get("projectNumber", "")  # type: ignore[no-any-return]


def vat(wanted: Document) -> Decimal:
    """Summed and rounded for each rate."""
    by_rate: dict[Decimal, Decimal] = defaultdict(Decimal)
    for (_, rate, _), net in _nets(wanted).items():
        by_rate[rate] += net
    return sum((_ore(net * rate / 100) for rate, net in by_rate.items()), Decimal(0))


def _nets(wanted: Document) -> dict[Booking, Decimal]:
    """Of each account, rate and project, to the öre."""
    nets: dict[Booking, Decimal] = defaultdict(Decimal)
    for line in wanted.event["invoice"]["lines"]:
        own = (line["project"] or {}).get("projectNumber")
        key = int(line["accountNumber"]), Decimal(line["vatPercentage"]), own or project(wanted)
        nets[key] += Decimal(line["amountExcludingVat"])
    return {key: _ore(net) for key, net in nets.items()}


def _ore(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _sums(company: Company, ledger: Ledger) -> Iterator[str]:
    """The ledger's total in each currency."""
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    for document in company.documents:
        ours[document.event["invoice"]["currencyCode"]] += document.total  # type: ignore[assignment]
    for one in ledger["invoices"]:
        theirs[one["Currency"]] += Decimal(str(one["Total"]))  # type: ignore[assignment]
    if ours != theirs:
        yield f"the ledger comes to {dict(theirs)}, billed was {dict(ours)}"


def _orphans(ledger: Ledger, logged: Sequence[str]) -> Iterator[str]:
    orphans = Counter(one["sha256"] for one in ledger["orphans"])
    if unlogged := orphans - Counter(logged):
        yield f"orphans that the log does not name: {dict(unlogged)}"
    lost = ledger["counters"].get(LOST_UPLOADS, 0)
    if orphans.total() > lost:
        yield f"{orphans.total()} orphans, and only {lost} uploads had their answer dropped"
