"""Compares ledgers, events and log with the plan: each way in which money or files could be wrong. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.ledger.plan import Company, Document

WRITTEN_ONCE = {"POST": 1, "bookkeep": 1}
LOST_UPLOADS = "unanswered POST /3/inbox"

Ledger = Mapping[str, Any]


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
        for wrong in _document(found[number], wanted[number], found.keys(), reasons.get(f"i{number}")):
            yield f"{number} {wrong}"


def _document(found: Ledger, wanted: Document, numbers: Any, reason: str | None) -> Iterator[str]:
    total = Decimal(str(found["Total"]))
    if total != wanted.total:
        yield f"comes to {total}, billed was {wanted.total}"
    if found["writes"] != WRITTEN_ONCE or not found["Booked"]:
        yield f"was written {found['writes']}, booked: {found['Booked']}"
    linked = sorted(one["sha256"] for one in found["attachments"])
    if linked != sorted(wanted.files):
        yield f"has the files {linked}, not {sorted(wanted.files)}"
    if reason is None:
        yield "is not done"
    elif untold := [name for name in wanted.missing if name not in reason]:
        yield f"does not tell of {untold}: {reason!r}"
    elif not wanted.missing and "without these files" in reason:
        yield f"tells of files that are there: {reason!r}"
    if wanted.credited is not None:
        link = str(wanted.credited) if wanted.credited in numbers else "0"
        if (found["InvoiceReference"], found["ExternalInvoiceReference2"]) != (link, str(wanted.credited)):
            yield f"credits {found['InvoiceReference']}, not {link}"


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
