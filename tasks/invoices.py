"""Invoices and credit notes: created in Fortnox, with their files, and posted. Each step is recorded before the next.

Create → upload each file → attach all → post. A step that an earlier holder may have taken without recording it is
looked up first.
"""

import hashlib
from decimal import Decimal
from typing import Any

import structlog
from celery import shared_task

from fortnox.errors import NotFound, Rejected
from fortnox.models import Invoice
from fortnox.payloads import AttachmentPayload, InvoicePayload
from mappers import InvoiceOptions, expected_total, to_invoice
from mappers.invoice import LEDGER_CURRENCY
from moment.events import Attachment
from moment.events import Invoice as MomentInvoice
from moment.files import FileMissing
from tasks.names import TRANSFERS
from tasks.transfer import Job, TransferTask
from worker.ordering import Done, Failed, Outcome

log = structlog.get_logger(__name__)


@shared_task(name=TRANSFERS["invoice"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_invoice)


def transfer_invoice(job: Job) -> Outcome:
    """The invoice as Moment finalized it, posted in Fortnox, with its files; there once, whatever fails."""
    if off := job.switched_off("invoices"):
        return off
    invoice: MomentInvoice = job.event.invoice
    mapped = to_invoice(invoice, _options(job, invoice))
    found = _create(job, mapped.payload)
    if found is not None and (fault := _fault(found, mapped.payload)):
        return fault
    missing = _attach(job, invoice)
    _post(job, mapped.payload.document_number)
    notices = [mapped.notice, *(f"A file was not transferred: {why}" for why in missing)]
    return Done(notice=" ".join(filter(None, notices)))


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


def _create(job: Job, payload: InvoicePayload) -> Invoice | None:
    """Creates the invoice, or finds it. None when an earlier holder created and checked it."""
    if job.taken("created"):
        return None
    found = _look(job, payload) if job.in_doubt("created") else None
    if found is None:
        try:
            with job.taking("created"):
                found = job.fortnox.invoices.create(payload.for_create())
        except Rejected as rejected:
            found = _look(job, payload) if rejected.may_mean_taken else None
            if found is None:
                raise
    if _fault(found, payload) is None:
        job.record("created")
    return found


def _look(job: Job, payload: InvoicePayload) -> Invoice | None:
    try:
        return job.fortnox.invoices.get(payload.document_number)
    except NotFound:
        return None


def _fault(found: Invoice, payload: InvoicePayload) -> Failed | None:
    """Why the invoice in Fortnox is not the one that Moment billed, if it is not: it is then left as it is."""
    number = payload.document_number
    if (found.external_invoice_reference1, found.customer_number) != (
        payload.external_invoice_reference1,
        payload.customer_number,
    ):
        return Failed(
            f"Number {number} is taken in Fortnox by another invoice, of customer {found.customer_number}.",
            "Give the invoice in Fortnox another number, or credit this one in Moment and bill it anew.",
            "NumberTaken",
        )
    billed, booked = expected_total(payload).total, (found.total or Decimal(0)) - found.round_off
    if booked != billed:
        return Failed(
            f"Fortnox made invoice {number} {booked} {payload.currency}, but {billed} was billed. It is not posted.",
            "Check the VAT settings of its accounts in Fortnox, remove the unposted invoice there, and retry.",
            "TotalsDiffer",
        )
    return None


def _attach(job: Job, invoice: MomentInvoice) -> list[str]:
    """Uploads the files and attaches them all in one request. Returns what could not be transferred, and why."""
    if not invoice.attachments or job.taken("attached"):
        return []
    missing: list[str] = []
    files: dict[str, AttachmentPayload] = {}
    for attachment in invoice.attachments:
        try:
            archive_id = _upload(job, attachment)
        except FileMissing as error:
            log.warning("invoice.file_missing", why=error.why)
            missing.append(str(error))
        else:
            sendable = attachment.content_type == "application/pdf"
            files[archive_id] = AttachmentPayload(
                entityId=invoice.invoice_number, fileId=archive_id, includeOnSend=sendable
            )
    if job.in_doubt("attached"):
        for one in job.fortnox.attachments.list(invoice.invoice_number):
            files.pop(one.file_id, None)
    if files:
        with job.taking("attached"):
            job.fortnox.attachments.attach(list(files.values()))
    if not missing:
        job.record("attached")
    return missing


def _upload(job: Job, attachment: Attachment) -> str:
    """The file's id in Fortnox's archive; uploaded once, however often it is on the invoice."""
    step = f"file:{_identity(attachment)}"
    archive_id = job.taken(step)
    if archive_id is None:
        with job.house.files.open(attachment) as file:
            archive_id = job.fortnox.inbox.upload(attachment.file_name, file, attachment.content_type).archive_file_id
        job.record(step, archive_id)
    return archive_id


def _identity(attachment: Attachment) -> str:
    """What makes a file the same file within one invoice."""
    source = attachment.url or attachment.content or ""
    return hashlib.sha256(source.encode()).hexdigest()[:24]


def _post(job: Job, number: int) -> None:
    """Posts the invoice once: whether it is posted is looked up where an earlier try may have done it."""
    if job.in_doubt("posted") and job.fortnox.invoices.get(number).booked:
        return
    try:
        with job.taking("posted"):
            job.fortnox.invoices.bookkeep(number)
    except Rejected:
        # Fortnox's answer to a second posting is not published either.
        if not job.fortnox.invoices.get(number).booked:
            raise
