"""Invoices and credit notes: created in Fortnox, with their files, and posted. Each step is recorded before the next.

Create → compare → upload each file → link all → post. A step that an earlier holder may have taken without recording
it is looked up first, and what was compared a while ago is compared again before it is posted.
"""

import random
import time
from decimal import Decimal
from typing import Any

import structlog
from celery import shared_task
from pydantic import TypeAdapter

from fortnox.errors import AccessMissing, NotFound, Rejected
from fortnox.models import Invoice
from fortnox.payloads import InvoicePayload
from fortnox.upsert import Next, create_or_find
from mappers import InvoiceOptions, Mapped, compare, to_invoice
from mappers.invoice import LEDGER_CURRENCY
from moment.events import Invoice as MomentInvoice
from tasks.attachments import WHOLE, Left, forget_uploads, transfer_files
from tasks.names import TRANSFERS
from tasks.transfer import IN_DOUBT, NOT_TAKEN, TAKEN, Job, TransferTask, counting
from worker.ordering import Done, Failed, Outcome, Retry
from worker.ordering.backoff import backoff
from worker.stores import UsedAccount

log = structlog.get_logger(__name__)

# Of a file whose host does not serve: 5 s doubling, so some 40 minutes after the invoice was posted. Where the operator
# has to mend the key, for about a day, like any event: what is under way for long is an alarm of theirs.
FILE_TRIES = 10
FRESH = 120.0  # seconds that a comparison holds good: longer than an attempt, too short for a person to come between
WITHOUT_LINK = ("invoice-unknown", "request", "document-locked")  # what Fortnox may say of `CreditInvoiceReference`
CLOSED = "closed"  # noted of the files' part of Fortnox
FREE = "free"  # noted of the invoice's number
LINK, NO_LINK = "link", "no link"  # noted of the invoice that is credited
# Noted of an invoice that is to be posted: whether what is there was compared, or is to be as posting was refused.
AS_BILLED, REFUSED, AS_BILLED_AND_REFUSED = "as billed", "refused", "refused before"
OPTIONS = TypeAdapter(InvoiceOptions)


@shared_task(name=TRANSFERS["invoice"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_invoice)


def transfer_invoice(job: Job) -> Outcome:
    """The invoice as Moment finalized it, posted in Fortnox, with its files; there once, whatever fails."""
    if off := job.switched_off("invoices"):
        return off
    invoice: MomentInvoice = job.event.invoice
    options = _options(job, invoice)
    mapped = to_invoice(invoice, options)
    used = (UsedAccount(int(line.account_number), line.vat_percentage) for line in invoice.lines)
    job.house.used_accounts(job.claim.company).note(used)  # what the next connection is checked against
    if fault := _create(job, mapped.payload, options):
        return fault
    if job.saw("files") == CLOSED and (fault := _post(job, mapped.payload)):
        return fault
    try:
        left = transfer_files(job, invoice)
    except AccessMissing:  # the files wait until that part of Fortnox is open; the books need not
        job.note("files", CLOSED)
        if fault := _post(job, mapped.payload):
            return fault
        raise
    return _post(job, mapped.payload) or _ended(job, mapped, left)


def _options(job: Job, invoice: MomentInvoice) -> InvoiceOptions:
    """The company's choices and Fortnox's rate as they are now; once the invoice may be there, as it was created."""
    if job.in_doubt("created") or job.taken("created"):
        recorded = job.taken("options")
        return OPTIONS.validate_json(recorded) if recorded else InvoiceOptions()
    foreign = invoice.currency_code != LEDGER_CURRENCY and invoice.currency_rate is None
    return InvoiceOptions(
        rounding_account=job.settings.rounding_account,
        swap_references=job.settings.swap_references,
        currency_rate=_registered_rate(job, invoice.currency_code) if foreign else None,
    )


def _record_options(job: Job, options: InvoiceOptions) -> None:
    """The usual ones are not worth a write."""
    recorded = NOT_TAKEN if options == InvoiceOptions() else OPTIONS.dump_json(options).decode()
    if recorded != job.steps.get("options", NOT_TAKEN):
        job.record("options", recorded)


def _registered_rate(job: Job, currency: str) -> Decimal | None:
    """What one unit of the currency costs by Fortnox's own register; None where it has no rate."""
    if seen := job.saw("rate"):
        return Decimal(seen)
    try:
        rate = job.fortnox.currencies.get(currency).rate
    except NotFound:
        return None
    if rate is not None:
        job.note("rate", str(rate))
    return rate


def _create(job: Job, payload: InvoicePayload, options: InvoiceOptions) -> Failed | None:
    """Creates the invoice, or finds it, and compares it with what was billed: why it is not to be posted, if so."""
    if job.taken("created"):
        return None
    _record_options(job, options)
    invoice, found = _made_or_found(job, payload)
    if fault := _fault(invoice, payload):
        return fault
    if found and (others := _had_by_others(job)):
        job.record("linking", IN_DOUBT)
        job.record("others", others)
    if invoice.booked:
        job.record("posted")
    _check_credit_link(invoice, payload)
    job.record("created", f"{time.time():.0f}")
    return None


def _made_or_found(job: Job, payload: InvoicePayload) -> tuple[Invoice, bool]:
    """The invoice in Fortnox, and whether it was there already, as far as is known."""

    def look(why: Next) -> Invoice | None:
        if why is Next.LOOK_AFTER_REFUSAL:
            return _numbered(job, payload.document_number)
        found = _look(job, payload)
        if found is None:
            job.record("created", NOT_TAKEN)
        return found

    step = Next.LOOK if job.in_doubt("created") else Next(job.saw("next") or Next.CREATE)
    return create_or_find(lambda: _made(job, payload), look, job, step)


def _made(job: Job, payload: InvoicePayload) -> Invoice:
    """Creates it. Where a credit note's original is not there or Fortnox refuses the link to it, without the link."""
    fields = payload.for_create()
    credited = payload.credit_invoice_reference
    if credited is not None and not _is_of_customer(job, credited, payload.customer_number):
        del fields["CreditInvoiceReference"]
    try:
        with job.taking("created"):
            return job.fortnox.invoices.create(fields)
    except Rejected as rejected:
        if "CreditInvoiceReference" not in fields or rejected.situation not in WITHOUT_LINK:
            raise
    job.note("original", NO_LINK)
    del fields["CreditInvoiceReference"]
    with job.taking("created"):
        return job.fortnox.invoices.create(fields)


def _is_of_customer(job: Job, credited: str, customer: str) -> bool:
    """Whether the invoice that is credited is this customer's in Fortnox: one of ours is, another is looked at.

    Numbers from before the integration may be other invoices there.
    """
    if seen := job.saw("original"):
        return seen == LINK
    ordering = job.house.ordering
    ours = ordering.of_key(f"{job.claim.company}/invoice/{credited}")
    if any(event.status == "done" for event in ordering.events(ours)):
        return True
    original = _numbered(job, credited)
    theirs = original is not None and original.customer_number == customer
    job.note("original", LINK if theirs else NO_LINK)
    return theirs


def _look(job: Job, payload: InvoicePayload) -> Invoice | None:
    """The invoice that an earlier try may have made: under its number, or under one of Fortnox's own choice."""
    found = None
    if job.saw("number") != FREE:
        found = _numbered(job, payload.document_number)
        if found is None:
            job.note("number", FREE)
        elif found.external_invoice_reference1 == payload.external_invoice_reference1:
            return found
    made = (one for one in job.fortnox.invoices.find(payload.external_invoice_reference1) if not one.cancelled)
    other = next(made, None)
    return found if other is None else job.fortnox.invoices.get(other.document_number)


def _numbered(job: Job, number: int | str) -> Invoice | None:
    try:
        return job.fortnox.invoices.get(number)
    except NotFound:
        return None


def _had_by_others(job: Job) -> str:
    """What is to be recorded of other events of this invoice: one transferred it whole, or may have linked files."""
    ordering = job.house.ordering
    refs = [ref for ref in ordering.of_key(job.claim.key) if ref != (job.claim.company, job.claim.id)]
    events = ordering.events(refs)
    if any(event.status == "done" and not event.reason for event in events):
        return WHOLE
    if any(event.status == "done" or "linking" in _steps_of(job, event.id) for event in events):
        return TAKEN
    return NOT_TAKEN


def _steps_of(job: Job, event_id: str) -> dict[str, str]:
    return counting(job.house.ordering.progress(job.claim.company, event_id), job.hold.ledger)


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
    if found.document_number != str(number):
        return Failed(
            f"Fortnox gave Moment's invoice {number} the number {found.document_number}. It was not posted.",
            f"Cancel (makulera) invoice {found.document_number} in Fortnox, see to it there that invoices may have "
            "Moment's numbers, and retry the event: the invoice is then created anew.",
            "OtherNumber",
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
    """Posts the invoice once: what an earlier try or a person may have done to it meanwhile is looked up before."""
    if job.taken("posted"):
        return None
    number = payload.document_number
    seen = job.saw("posting")
    if job.in_doubt("posted") or seen == REFUSED or (seen is None and _compared_long_ago(job)):
        found = job.fortnox.invoices.get(number)
        if fault := _fault(found, payload):
            return fault
        if found.booked:
            job.record("posted")
            return None
        job.record("posted", NOT_TAKEN)
        seen = AS_BILLED_AND_REFUSED if seen == REFUSED else AS_BILLED
        job.note("posting", seen)
    elif seen is None:
        job.note("posting", AS_BILLED)
    refused: Rejected | None = None
    try:
        with job.taking("posted"):
            booked = job.fortnox.invoices.bookkeep(number).booked
    except Rejected as rejected:
        if seen == AS_BILLED_AND_REFUSED:
            raise
        refused, booked = rejected, False
        job.note("posting", REFUSED)
    if not booked:  # neither what Fortnox answers to a second posting is published, nor all of its answer to a first
        found = job.fortnox.invoices.get(number)
        booked = found.booked
    if booked:
        job.record("posted")
        return None
    job.record("posted", NOT_TAKEN)
    if found.cancelled:
        return _cancelled(number)
    if refused is not None:
        raise refused
    return Failed(
        f"Fortnox answered that it posted invoice {number}, and shows it as not posted.",
        "Post the invoice in Fortnox by hand, or retry the event.",
        "NotPosted",
    )


def _compared_long_ago(job: Job) -> bool:
    """Whether a person may have changed the invoice since: always where an earlier try could not post it."""
    return "posted" in job.steps or time.time() - float(job.taken("created") or 0) > FRESH


def _ended(job: Job, mapped: Mapped[InvoicePayload], left: Left) -> Outcome:
    """How a posted invoice ends: done, or with files to come, or done but for files."""
    if left.instead:
        as_many = "The invoice is posted. As many other files are attached to it, so these were not transferred:"
        told = [mapped.notice, as_many, *left.instead]
        return Done("\n".join(filter(None, told)), "If one of them is missing there, attach it by hand.", again=True)
    if not left.missing and not left.late:
        return Done(mapped.notice)
    tries = int(job.steps.get("file tries", 0)) + 1
    after = backoff(tries, random.random())
    if left.late and after is not None and (tries < FILE_TRIES or left.key_refused):
        job.record("file tries", str(tries))
        return Retry(after, f"The invoice is posted; a file is not there yet. {' '.join(left.late)}", "FileLate")
    job.record("linking", IN_DOUBT)  # a person may attach them by hand meanwhile
    job.record("others")
    forget_uploads(job, left.refused)
    told = [mapped.notice, "The invoice is posted, but without these files:", *left.missing, *left.late]
    return Done(
        "\n".join(filter(None, told)),
        "Attach them in Fortnox by hand. Or, when they can be fetched again, run "
        f"`moment-fortnox events retry {job.claim.company} {job.claim.id}`: only what is missing is added.",
        again=True,
    )
