"""Invoices and credit notes: created in Fortnox, with their files, and posted. Each step is recorded before the next.

Create → compare → upload each file → link all → post. A step in doubt is looked up before it is repeated, and an
invoice that was compared some time ago is compared again before it is posted.
"""

import random
import time
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import structlog
from pydantic import TypeAdapter

from delivery.context import IN_DOUBT, NOT_TAKEN, TAKEN, TransferContext, counting
from delivery.upsert import Next, create_or_find
from fortnox.codes import explain
from fortnox.errors import AccessMissing, NotFound, Rejected
from fortnox.models import FortnoxInvoice, InvoiceListItem
from fortnox.payloads import InvoicePayload, without_blanks
from mappers import Comparison, InvoiceOptions, Mapped, compare, expected_total, to_invoice
from mappers.invoice import LEDGER_CURRENCY
from mappers.totals import books_nothing
from messages import Message, Money
from moment.events import Invoice
from ordering import Done, Failed, Outcome, Retry
from ordering.backoff import backoff
from ordering.records import to_epoch_ms
from tasks import rounding_account, vat
from tasks.attachments import BEFORE, WHOLE, FilesResult, forget_uploads, transfer_files
from tasks.base import transfer_task
from tasks.checks import used_accounts
from tasks.flows import INVOICE
from tasks.optional_fields import BLANKS, LINK, from_json, to_json, to_leave_out, told, without

log = structlog.get_logger(__name__)

FILE_TRIES = 10  # attempts at a late file: 5 s, doubling, about 40 minutes. A refused key is retried for about a day.
FRESH = 120.0  # seconds that a comparison is valid: longer than an attempt, too short for a person to edit the invoice
# Steps with a value:
LEFT_OUT = "left out"  # the optional fields left out
DIFFERS = "differs"  # what differs from Moment without changing the books
# Cached answers:
CLOSED = "closed"  # of `files`: Fortnox takes none from this company
FREE = "free"  # of `number`: no invoice has it
NOTHING_TO_POST = "nothing"  # of `posted`: Fortnox does not post the invoice, which books nothing
SUSPECTS = "suspects"  # the optional fields that a refusal may be about, if the number is free
LINKED = "linked"  # of `original`: the credit note may name the invoice that it credits
# of `posting`: the invoice is as billed, posting was refused, or both
AS_BILLED, REFUSED, AS_BILLED_AND_REFUSED = "as billed", "refused", "refused before"
OPTIONS = TypeAdapter(InvoiceOptions)


@transfer_task(INVOICE.task)
def transfer_invoice(context: TransferContext) -> Outcome:
    """Create the invoice once, as Moment finalized it, attach its files and post it."""
    if off := context.switched_off():
        return off
    _doubt_outdated_steps(context)
    invoice: Invoice = context.event.invoice
    options = _options(context, invoice)
    mapped = to_invoice(invoice, options)
    # The next check of the connection looks at these accounts.
    context.services.stores.used_accounts(context.claim.company).remember(used_accounts(invoice))
    try:
        return _transferred(context, invoice, mapped, options)
    except Rejected as refused:
        if failed := rounding_account.refusal(context, invoice, mapped.payload, refused):
            return failed
        raise


def _doubt_outdated_steps(context: TransferContext) -> None:
    """Where an earlier copy of Redis was put back, later steps of this event are unknown: look before repeating one."""
    if not context.steps:
        return
    epoch = context.services.epoch.began()
    if to_epoch_ms(context.claim.accepted_at) >= epoch or context.taken("epoch") == str(epoch):
        return
    if context.taken("created"):
        context.record("created", IN_DOUBT)
    context.record("others", BEFORE)
    context.record("epoch", str(epoch))


def _transferred(
    context: TransferContext, invoice: Invoice, mapped: Mapped[InvoicePayload], options: InvoiceOptions
) -> Outcome:
    if fault := _create(context, mapped.payload, options):
        return fault
    if context.cached("files") == CLOSED and (fault := _post(context, mapped.payload)):
        return fault
    try:
        files = transfer_files(context, invoice)
    except AccessMissing:  # the files wait until Fortnox takes them; the posting does not
        context.remember("files", CLOSED)
        if fault := _post(context, mapped.payload):
            return fault
        raise
    return _post(context, mapped.payload) or _posted(context, invoice, _ended(context, mapped, files))


def _options(context: TransferContext, invoice: Invoice) -> InvoiceOptions:
    """The company's settings and Fortnox's rate; once the invoice may exist, those that it was created with."""
    if context.in_doubt("created") or context.taken("created"):
        recorded = context.taken("options")
        return OPTIONS.validate_json(recorded) if recorded else InvoiceOptions()
    foreign = invoice.currency_code != LEDGER_CURRENCY and invoice.currency_rate is None
    return InvoiceOptions(
        rounding_account=context.settings.rounding_account,
        swap_references=context.settings.swap_references,
        currency_rate=_registered_rate(context, invoice.currency_code) if foreign else None,
    )


def _record_options(context: TransferContext, options: InvoiceOptions) -> None:
    """Record the options. Defaults are not recorded: that saves a write."""
    recorded = NOT_TAKEN if options == InvoiceOptions() else OPTIONS.dump_json(options).decode()
    if recorded != context.steps.get("options", NOT_TAKEN):
        context.record("options", recorded)


def _registered_rate(context: TransferContext, currency: str) -> Decimal | None:
    """The price of one unit of the currency in Fortnox's currency register; None where it has no rate."""
    if seen := context.cached("rate"):
        return Decimal(seen)
    try:
        rate = context.fortnox.currencies.get(currency).rate
    except NotFound:
        return None
    if rate is not None:
        context.remember("rate", str(rate))
    return rate


def _create(context: TransferContext, payload: InvoicePayload, options: InvoiceOptions) -> Failed | None:
    """Create or find the invoice and compare it with what was billed. Return why it must not be posted, if so."""
    if context.taken("created"):
        return None
    _record_options(context, options)
    just_now = context.in_doubt("created") and context.taken("others") != BEFORE
    invoice, found = _created_or_found(context, payload)
    if invoice.external_invoice_reference1 == payload.external_invoice_reference1:
        _remember_billed(context, invoice, payload)
    if fault := _compared(context, invoice, payload):
        return fault
    if found and (others := _had_by_others(context) or (NOT_TAKEN if just_now else BEFORE)):
        context.record("linking", IN_DOUBT)
        context.record("others", others)
    if invoice.booked:
        context.record("posted", _voucher(invoice))
    _check_credit_link(invoice, payload)
    context.record("created", f"{time.time():.0f}")
    return None


def _remember_billed(context: TransferContext, invoice: FortnoxInvoice, payload: InvoicePayload) -> None:
    """Remember that the invoice is ours and, where the feed tells of changes, what it is compared with then."""
    comparison = compare(invoice, payload)
    differences = [one.message.to_json() for one in (*comparison.head, *comparison.rows, *comparison.aside) if one.real]
    feed = bool(context.services.settings.fortnox_feed_url)
    context.services.stores.transferred(context.claim.company, context.lease.ledger).add(
        str(payload.document_number), context.claim.id, payload.model_dump_json() if feed else "", differences
    )


def _created_or_found(context: TransferContext, payload: InvoicePayload) -> tuple[FortnoxInvoice, bool]:
    """The invoice in Fortnox, and whether an earlier attempt or somebody else created it."""

    def look(why: Next) -> FortnoxInvoice | None:
        if why is Next.LOOK_AFTER_REFUSAL:
            return _numbered(context, payload.document_number)
        found = _look(context, payload)
        if found is None:
            context.record("created", NOT_TAKEN)
        return found

    step = Next.LOOK if context.in_doubt("created") else Next(context.cached("next") or Next.CREATE)
    return create_or_find(
        lambda: _created(context, payload), look, context, step, can_help=lambda: bool(context.cached(SUSPECTS))
    )


def _created(context: TransferContext, payload: InvoicePayload) -> FortnoxInvoice:
    """Create the invoice, without the optional fields that Fortnox refuses. What is left out is recorded."""
    fields = without_blanks(payload.for_create()) if context.refused_blanks.known() else payload.for_create()
    number_is_free = context.cached("next") == Next.CREATE_AFTER_LOOK
    left_out = _leaving_out(context, payload, number_is_free)
    while True:
        if to_json(left_out) != context.steps.get(LEFT_OUT, NOT_TAKEN):
            context.record(LEFT_OUT, to_json(left_out))
        sent = without(fields, left_out)
        try:
            with context.taking("created"):
                created = context.fortnox.invoices.create(sent)
        except Rejected as refused:
            why = explain(refused).reason
            if not (names := to_leave_out(refused, fields, left_out, number_is_free=number_is_free)):
                suspects = to_leave_out(refused, fields, left_out, number_is_free=True)
                context.remember(SUSPECTS, to_json({name: left_out.get(name, why) for name in suspects}))
                if left_out:  # in vain: it was not what Fortnox refuses
                    context.record(LEFT_OUT, NOT_TAKEN)
                raise
            left_out = {name: left_out.get(name, why) for name in names}
            continue
        if next(reversed(left_out), None) == BLANKS:  # it was what helped
            context.refused_blanks.remember()
        return created


def _leaving_out(context: TransferContext, payload: InvoicePayload, number_is_free: bool) -> dict[str, Message]:
    """The optional fields that the next create is sent without, and why."""
    left_out = from_json(context.taken(LEFT_OUT))
    if number_is_free:  # what the refusal before the look may have been about, since it was not about the number
        left_out |= from_json(context.cached(SUSPECTS))
    credited = payload.credit_invoice_reference
    if credited is not None and LINK not in left_out and (why := _not_linked(context, credited, payload)):
        left_out[LINK] = why
    return left_out


def _not_linked(context: TransferContext, credited: str, payload: InvoicePayload) -> Message | None:
    """Why the credit note cannot name the invoice that it credits; None where it can.

    That must be this customer's in Fortnox. It is looked up only if we did not transfer it: a number from before the
    integration may belong to another invoice there.
    """
    if context.cached("original") == LINKED:
        return None
    company, customer = context.claim.company, payload.customer_number
    ordering = context.services.ordering
    ours = [one for one in ordering.events(ordering.of_key(f"{company}/invoice/{credited}")) if one.status == "done"]
    if ours:
        theirs = f"{company}/customer/{customer}" in ours[-1].needs
    else:
        original = _numbered(context, credited)
        if original is None:
            return Message("invoice.original-not-there")
        theirs = original.customer_number == customer
    if not theirs:
        return Message("invoice.original-not-the-customers", customer=customer)
    context.remember("original", LINKED)
    return None


def _look(context: TransferContext, payload: InvoicePayload) -> FortnoxInvoice | None:
    """The invoice that an earlier attempt may have created, under its number or under one that Fortnox chose."""
    found = None
    if context.cached("number") != FREE:
        found = _numbered(context, payload.document_number)
        if found is None:
            context.remember("number", FREE)
        elif found.external_invoice_reference1 == payload.external_invoice_reference1:
            return found
    candidates = context.fortnox.invoices.find(payload.external_invoice_reference1)
    other = next((one for one in candidates if not one.cancelled), None)
    return found if other is None else context.fortnox.invoices.get(other.document_number)


def _numbered(context: TransferContext, number: int | str) -> FortnoxInvoice | None:
    try:
        return context.fortnox.invoices.get(number)
    except NotFound:
        return None


def _had_by_others(context: TransferContext) -> str:
    """What other events of this invoice did: transferred it whole (`WHOLE`), or may have linked files (`TAKEN`)."""
    ordering = context.services.ordering
    refs = [ref for ref in ordering.of_key(context.claim.key) if ref != (context.claim.company, context.claim.id)]
    events = ordering.events(refs)
    if any(event.status == "done" and not event.reason for event in events):
        return WHOLE
    if any(event.status == "done" or "linking" in _steps_of(context, event.id) for event in events):
        return TAKEN
    return NOT_TAKEN


def _steps_of(context: TransferContext, event_id: str) -> dict[str, str]:
    return counting(context.services.ordering.progress(context.claim.company, event_id), context.lease.ledger)


def _compared(context: TransferContext, found: FortnoxInvoice, payload: InvoicePayload) -> Failed | None:
    """Compare the invoice in Fortnox with what Moment billed. Return why it is not that invoice, if so.

    Differences that do not change the books are recorded, and told when the invoice is posted.
    """
    comparison = compare(found, payload)
    if fault := _fault(found, payload, comparison):
        return fault
    left_out = from_json(context.taken(LEFT_OUT))
    told_of = {one.field for one in comparison.aside if one.field == "OCR" or one.empty_there} & set(left_out)
    differs = Message.join(*(one.message for one in comparison.aside if one.field not in told_of)).to_json()
    if differs != context.steps.get(DIFFERS, NOT_TAKEN):
        context.record(DIFFERS, differs)
    return None


def _fault(found: FortnoxInvoice, payload: InvoicePayload, comparison: Comparison) -> Failed | None:
    """Why the invoice in Fortnox is not the one that Moment billed, if so. Pure."""
    number = payload.document_number
    if found.external_invoice_reference1 != payload.external_invoice_reference1:
        whose = " ".join(filter(None, (found.customer_number, found.customer_name)))
        return Failed(
            Message("invoice.number-taken", number=str(number), customer=whose),
            Message("invoice.number-taken.remedy"),
            "NumberTaken",
        )
    if found.document_number != str(number):
        return Failed(
            Message("invoice.other-number", number=str(number), other=found.document_number),
            Message("invoice.other-number.remedy", other=found.document_number),
            "OtherNumber",
        )
    if found.cancelled:
        return _cancelled(number)
    if comparison.equal:
        return _rounded_off(found, payload)
    differs = (
        Message("invoice.posted-otherwise", number=str(number))
        if found.booked
        else Message("invoice.there-otherwise", number=str(number))
    )
    return Failed(
        Message.join(differs, comparison.message),
        Message("invoice.not-as-billed.remedy"),
        "NotAsBilled",
    )


def _rounded_off(found: FortnoxInvoice, payload: InvoicePayload) -> Failed | None:
    """Why an invoice must not be posted whose total Fortnox rounded away from what was billed, if so. Pure."""
    if not found.round_off:
        return None
    currency = payload.currency
    return Failed(
        Message(
            "invoice.rounded-off.posted" if found.booked else "invoice.rounded-off",
            number=str(payload.document_number),
            there=Money(found.total, currency),
            billed=Money(expected_total(payload).total, currency),
        ),
        Message("invoice.rounded-off.remedy"),
        "RoundedOff",
    )


def _cancelled(number: int) -> Failed:
    return Failed(
        Message("invoice.cancelled", number=str(number)),
        Message("invoice.cancelled.remedy"),
        "Cancelled",
    )


def _check_credit_link(found: FortnoxInvoice, payload: InvoicePayload) -> None:
    """Log a credit note that Fortnox did not link: whether it takes the link on a new document is not documented."""
    credited = payload.credit_invoice_reference
    if credited is not None and credited not in (found.invoice_reference, found.credit_invoice_reference):
        log.warning(
            "invoice.credit_not_linked",
            credited=credited,
            invoice_reference=found.invoice_reference,
            credit_invoice_reference=found.credit_invoice_reference,
        )


class PostingState(NamedTuple):
    """What is known of an invoice before it is posted. `seen`: what an attempt a moment ago found."""

    in_doubt: bool  # an earlier attempt may have posted it
    seen: str | None
    compared_long_ago: bool  # a person may have edited it since

    @property
    def needs_look(self) -> bool:
        """Whether the invoice is read and compared again before it is posted. Pure."""
        return self.in_doubt or self.seen == REFUSED or (self.seen is None and self.compared_long_ago)

    @property
    def refusal_is_final(self) -> bool:
        """Whether a refusal stands: it was refused before, and is what Moment billed. Pure."""
        return self.seen == AS_BILLED_AND_REFUSED


def _post(context: TransferContext, payload: InvoicePayload) -> Failed | None:
    """Post the invoice once. Return why it could not be posted, if so. Raises a refusal of another cause."""
    if context.taken("posted"):
        return None
    state = PostingState(context.in_doubt("posted"), context.cached("posting"), _compared_long_ago(context))
    if state.needs_look:
        found = context.fortnox.invoices.get(payload.document_number)
        if fault := _compared(context, found, payload):
            return fault
        if found.booked:
            context.record("posted", _voucher(found))
            return None
        context.record("posted", NOT_TAKEN)
        state = state._replace(seen=AS_BILLED_AND_REFUSED if state.seen == REFUSED else AS_BILLED)
        context.remember("posting", str(state.seen))
    elif state.seen is None:
        context.remember("posting", AS_BILLED)
    refused = _bookkeep(context, payload.document_number, state)
    if context.taken("posted"):
        return None
    # Fortnox does not document its answers to a posting, nor to a second one: look.
    found = context.fortnox.invoices.get(payload.document_number)
    context.record("posted", _voucher(found) if found.booked else NOT_TAKEN)
    if found.booked:
        return None
    if not found.cancelled and books_nothing(payload) and not isinstance(refused, AccessMissing):
        context.record("posted", NOTHING_TO_POST)
        return None
    if refused is not None and not found.cancelled:
        raise refused
    return _not_posted(found, payload.document_number)


def _bookkeep(context: TransferContext, number: int, state: PostingState) -> Rejected | None:
    """Ask Fortnox to post the invoice, and record it where the answer says so. Return a refusal that is not final."""
    try:
        with context.taking("posted"):
            answer = context.fortnox.invoices.bookkeep(number)
    except Rejected as rejected:
        if state.refusal_is_final:
            raise
        context.remember("posting", REFUSED)
        return rejected
    if answer.booked:
        context.record("posted", _voucher(answer))
    return None


def _voucher(posted: InvoiceListItem) -> str:
    """What is recorded of the posting: the voucher, such as `B 17`, where Fortnox names it. Pure."""
    return f"{posted.voucher_series or ''} {posted.voucher_number}".strip() if posted.voucher_number else TAKEN


def _not_posted(found: FortnoxInvoice, number: int) -> Failed:
    if found.cancelled:
        return _cancelled(number)
    return Failed(Message("invoice.not-posted", number=str(number)), Message("invoice.not-posted.remedy"), "NotPosted")


def _compared_long_ago(context: TransferContext) -> bool:
    """Whether a person may have edited the invoice since: always where an earlier attempt could not post it."""
    return "posted" in context.steps or time.time() - float(context.taken("created") or 0) > FRESH


def _ended(context: TransferContext, mapped: Mapped[InvoicePayload], files: FilesResult) -> Outcome:
    """The outcome of a posted invoice: done, done without some files, or retried for a late file."""
    notice = Message.join(
        mapped.notice,
        told(from_json(context.taken(LEFT_OUT)), mapped.payload.for_create()),
        vat.remarks(context, context.event.invoice),
        _differing(context, mapped),
    )
    if context.taken("posted") == NOTHING_TO_POST:
        notice = Message.join(notice, Message("invoice.nothing-to-post"))
    if files.replaced:
        notice = Message.join(notice, Message("invoice.other-files-instead"), *map(_named, files.replaced))
        return Done(notice, Message("invoice.other-files-instead.remedy"), again=True)
    if not files.missing and not files.late:
        return Done(notice)
    tries = int(context.steps.get("file tries", 0)) + 1
    after = backoff(tries, random.random())
    if files.late and after is not None and (tries < FILE_TRIES or files.key_refused):
        context.record("file tries", str(tries))
        return Retry(after, Message.join(Message("invoice.file-late"), *files.late), "FileLate")
    context.record("linking", IN_DOUBT)  # a person may now attach them by hand
    context.record("others")
    forget_uploads(context, files.refused)
    return Done(
        Message.join(notice, Message("invoice.without-files"), *files.missing, *files.late),
        Message("invoice.without-files.remedy", company=context.claim.company, event=context.claim.id),
        again=True,
    )


def _posted(context: TransferContext, invoice: Invoice, outcome: Outcome) -> Outcome:
    """The outcome with the number and the voucher that the invoice has in Fortnox, where it is done."""
    if not isinstance(outcome, Done):
        return outcome
    voucher = context.taken("posted")
    named = "" if voucher in (None, TAKEN) else str(voucher)
    return replace(outcome, document=str(invoice.invoice_number), voucher=named)


def _differing(context: TransferContext, mapped: Mapped[InvoicePayload]) -> Message:
    """What is told of the differences that did not stop the posting; `NOTHING` without any."""
    differs = Message.from_json(context.taken(DIFFERS) or "")
    heading = Message("invoice.differs", number=str(mapped.payload.document_number))
    return Message.join(heading, differs) if differs else differs


def _named(file: str) -> Message:
    return Message("invoice.file", file=file)
