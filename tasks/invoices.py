"""Invoices and credit notes: created in Fortnox, with their files, and posted. Each step is recorded before the next.

Create → compare → upload each file → link all → post. A step that an earlier holder may have taken without recording
it is looked up first.
"""

import random
from decimal import Decimal
from typing import Any

import structlog
from celery import shared_task

from fortnox.errors import AccessMissing, NotFound, Rejected
from fortnox.models import Invoice
from fortnox.payloads import InvoicePayload
from mappers import InvoiceOptions, Mapped, compare, to_invoice
from mappers.invoice import LEDGER_CURRENCY
from moment.events import Invoice as MomentInvoice
from tasks.attachments import Left, transfer_files
from tasks.names import TRANSFERS
from tasks.transfer import IN_DOUBT, NOT_TAKEN, TAKEN, Job, TransferTask
from worker.ordering import Done, Failed, Outcome, Retry
from worker.ordering.backoff import backoff
from worker.stores import UsedAccount

log = structlog.get_logger(__name__)

FILE_TRIES = 10  # of a file whose host does not serve: 5 s doubling, so some 40 minutes after the invoice was posted
WITHOUT_LINK = ("invoice-unknown", "request", "document-locked")  # what Fortnox may say of `CreditInvoiceReference`


@shared_task(name=TRANSFERS["invoice"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_invoice)


def transfer_invoice(job: Job) -> Outcome:
    """The invoice as Moment finalized it, posted in Fortnox, with its files; there once, whatever fails."""
    if off := job.switched_off("invoices"):
        return off
    invoice: MomentInvoice = job.event.invoice
    mapped = to_invoice(invoice, _options(job, invoice))
    used = (UsedAccount(int(line.account_number), line.vat_percentage) for line in invoice.lines)
    job.house.used_accounts(job.claim.company).note(used)  # what the next connection is checked against
    if fault := _create(job, mapped.payload):
        return fault
    try:
        left = transfer_files(job, invoice)
    except AccessMissing:  # the files wait until that part of Fortnox is open; the books need not
        if fault := _post(job, mapped.payload):
            return fault
        job.record("posted")
        raise
    return _post(job, mapped.payload) or _ended(job, mapped, left)


def _options(job: Job, invoice: MomentInvoice) -> InvoiceOptions:
    foreign = invoice.currency_code != LEDGER_CURRENCY and invoice.currency_rate is None
    return InvoiceOptions(
        rounding_account=job.settings.rounding_account,
        swap_references=job.settings.swap_references,
        currency_rate=_registered_rate(job, invoice.currency_code) if foreign else None,
    )


def _registered_rate(job: Job, currency: str) -> Decimal | None:
    """What one unit of the currency costs by Fortnox's own register; None where it has no rate."""
    try:
        return job.fortnox.currencies.get(currency).rate
    except NotFound:
        return None


def _create(job: Job, payload: InvoicePayload) -> Failed | None:
    """Creates the invoice, or finds it, and compares it with what was billed: why it is not to be posted, if so."""
    if job.taken("created"):
        return None
    invoice, found = _made_or_found(job, payload)
    if fault := _fault(invoice, payload):
        return fault
    if found:  # another event of this invoice may have linked its files, and posted it
        job.record("linking", IN_DOUBT)
        job.record("posted", TAKEN if invoice.booked else NOT_TAKEN)
    _check_credit_link(invoice, payload)
    job.record("created")
    return None


def _made_or_found(job: Job, payload: InvoicePayload) -> tuple[Invoice, bool]:
    """The invoice in Fortnox, and whether it was there already, as far as is known."""
    found = _look(job, payload) if job.in_doubt("created") else None
    if found is not None:
        return found, True
    try:
        return _made(job, payload), False
    except Rejected as rejected:
        found = _look(job, payload) if rejected.may_mean_taken else None
        if found is None:
            raise
        return found, True


def _made(job: Job, payload: InvoicePayload) -> Invoice:
    """Creates it. Where Fortnox refuses a credit note's link to its original, without the link."""
    fields = payload.for_create()
    try:
        with job.taking("created"):
            return job.fortnox.invoices.create(fields)
    except Rejected as rejected:
        if payload.credit_invoice_reference is None or rejected.situation not in WITHOUT_LINK:
            raise
    del fields["CreditInvoiceReference"]
    with job.taking("created"):
        return job.fortnox.invoices.create(fields)


def _look(job: Job, payload: InvoicePayload) -> Invoice | None:
    try:
        return job.fortnox.invoices.get(payload.document_number)
    except NotFound:
        return None


def _fault(found: Invoice, payload: InvoicePayload) -> Failed | None:
    """Why the invoice in Fortnox is not the one that Moment billed, if it is not: it is then left as it is."""
    number = payload.document_number
    if found.external_invoice_reference1 != payload.external_invoice_reference1:
        whose = " ".join(filter(None, (found.customer_number, found.customer_name)))
        return Failed(
            f"Number {number} is taken in Fortnox by another invoice, of customer {whose}.",
            "Give the invoice in Fortnox another number, or credit this one in Moment and bill it anew.",
            "NumberTaken",
        )
    if found.cancelled:
        return _cancelled(number)
    comparison = compare(found, payload)
    if comparison.equal:
        return None
    state = "is posted in Fortnox" if found.booked else "is in Fortnox, not posted,"
    return Failed(
        f"Invoice {number} {state} and is not what Moment billed:\n{comparison}",
        "See why Fortnox reckons otherwise (VAT of the accounts, fees, rounding). Correct the invoice in Fortnox, "
        "where it can be changed until it is posted, then retry the event: it is posted when the figures agree.",
        "NotAsBilled",
    )


def _cancelled(number: int) -> Failed:
    return Failed(
        f"Invoice {number} has been cancelled (makulerad) in Fortnox, where its number cannot be used again.",
        "If it was right to cancel it, credit it in Moment and skip this event. If not, bill it anew in Moment.",
        "Cancelled",
    )


def _check_credit_link(found: Invoice, payload: InvoicePayload) -> None:
    """Fortnox does not say what becomes of `CreditInvoiceReference` on a new document: the log does, for each."""
    credited = payload.credit_invoice_reference
    if credited is not None and credited not in (found.invoice_reference, found.credit_invoice_reference):
        log.warning(
            "invoice.credit_not_linked",
            credited=credited,
            invoice_reference=found.invoice_reference,
            credit_invoice_reference=found.credit_invoice_reference,
        )


def _post(job: Job, payload: InvoicePayload) -> Failed | None:
    """Posts the invoice once: whether it is posted is looked up where an earlier try may have done it."""
    number = payload.document_number
    if job.taken("posted") or (job.in_doubt("posted") and job.fortnox.invoices.get(number).booked):
        return None
    try:
        with job.taking("posted"):
            job.fortnox.invoices.bookkeep(number)
        job.record("posted")
    except Rejected:
        # Fortnox's answer to a second posting is not published either.
        found = job.fortnox.invoices.get(number)
        if found.cancelled:
            return _cancelled(number)
        if not found.booked:
            raise
        job.record("posted")
    return None


def _ended(job: Job, mapped: Mapped[InvoicePayload], left: Left) -> Outcome:
    """How a posted invoice ends: done, or with files to come, or done but for files."""
    if not left.missing and not left.late:
        return Done(mapped.notice)
    job.record("posted")
    tries = int(job.steps.get("file tries", 0)) + 1
    after = backoff(tries, random.random())
    if left.late and tries < FILE_TRIES and after is not None:
        job.record("file tries", str(tries))
        return Retry(after, f"The invoice is posted; a file is not there yet. {' '.join(left.late)}", "FileLate")
    job.record("linking", IN_DOUBT)  # a person may attach them by hand meanwhile
    told = [mapped.notice, "The invoice is posted, but without these files:", *left.missing, *left.late]
    return Done(
        "\n".join(filter(None, told)),
        "Attach them in Fortnox by hand. Or, when they can be fetched again, run "
        f"`moment-fortnox events retry {job.claim.company} {job.claim.id}`: only what is missing is added.",
        again=True,
    )
