"""An invoice's files: fetched, uploaded one by one, then linked to the invoice all in one request.

A file that cannot be had or that Fortnox refuses does not hold the invoice up: it is named and left out. One that does
not come or go just now is named as late, for another try.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from pydantic import BaseModel

from delivery.context import NOT_TAKEN, TransferContext
from fortnox.codes import explain
from fortnox.errors import FileRefused, NotFound, OutcomeUnknown, Rejected, Unavailable, ValueRefused
from fortnox.payloads import AttachmentPayload
from messages import Message
from moment.events import Attachment, Invoice
from moment.files import File, FileUnavailable, KeyRefused, NoFile

log = structlog.get_logger(__name__)

# Fortnox's older documentation ("invoice file connections"): what goes along when it sends the invoice.
MOST_SENT, LARGEST_SENT, ALL_SENT = 5, 5_000_000, 15_000_000
ALL_FILES, SHORTEST = 30.0, 0.5  # seconds to fetch an attempt's files in: it has 100 in all, and posts after them
LISTED = "listed"  # noted of an invoice's links
WHOLE = "whole"  # recorded of others: an event of the same invoice has transferred it with nothing left out
UNANSWERED = (OutcomeUnknown, Unavailable)
UNANSWERED_MOST = 3  # tries to upload a file, or to link them; then the invoice no longer waits for it


class Left(NamedTuple):
    """What is not in Fortnox, each with its name and why: `missing` for good, `late` perhaps there at another try.

    `key_refused`: some are late as the operator has to mend the key to Moment. `instead`: names of files in whose place
    others are attached. `refused`: uploads that Fortnox does not attach.
    """

    missing: tuple[Message, ...] = ()
    late: tuple[Message, ...] = ()
    key_refused: bool = False
    instead: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Uploaded(BaseModel):
    """What is recorded of an uploaded file. `content` is a digest."""

    id: str
    content: str
    size: int
    pdf: bool


@dataclass
class Uploads:
    """The files of an invoice after an attempt: by their id in Fortnox, and those that are not there."""

    files: dict[str, tuple[Attachment, Uploaded]] = field(default_factory=dict)
    missing: list[Message] = field(default_factory=list)
    late: list[Message] = field(default_factory=list)
    key_refused: bool = False


def transfer_files(context: TransferContext, invoice: Invoice) -> Left:
    """Upload and link the files that are not in Fortnox yet. Return what could not be transferred."""
    if not invoice.attachments:
        return Left()
    linked = _linked(context, invoice)
    if instead := _instead(context, invoice, linked):
        return Left() if context.taken("others") == WHOLE else Left(instead=instead)
    uploads = _upload_all(context, invoice.attachments)
    wanted = _payloads(invoice.invoice_number, [uploaded for _, uploaded in uploads.files.values()])
    fresh = [payload for payload in wanted if payload.fileId not in linked]
    try:
        refused = _link(context, fresh, linked) if fresh else {}
    except UNANSWERED:
        if not _too_often(context, "linking"):
            raise
        return left_unlinked(uploads, fresh)
    forget_uploads(context, gone(refused))
    return left_out(uploads, refused)


def _upload_all(context: TransferContext, attachments: Sequence[Attachment]) -> Uploads:
    """Upload each file that is not uploaded yet. A file that cannot be had is named; it stops no other."""
    uploads = Uploads()
    until = time.monotonic() + ALL_FILES
    for place, attachment in enumerate(attachments, 1):
        try:
            uploaded = _upload(context, attachment, place, _share(context, attachments[place - 1 :], until))
        except NoFile as error:
            log.warning("invoice.no_file", place=place, why=error.why.key)
            (uploads.late if isinstance(error, FileUnavailable) else uploads.missing).append(error.message)
            uploads.key_refused |= isinstance(error, KeyRefused)
        except Rejected as error:
            uploads.missing.append(_refused(attachment, error))
        else:
            uploads.files.setdefault(uploaded.id, (attachment, uploaded))
    return uploads


def gone(refused: Mapping[str, Rejected]) -> list[str]:
    """The uploads that Fortnox no longer has: they are uploaded again at the next try. Pure."""
    return [file_id for file_id, why in refused.items() if isinstance(why, NotFound)]


def left_unlinked(uploads: Uploads, payloads: Sequence[AttachmentPayload]) -> Left:
    """What is left where Fortnox does not answer when these are linked. Pure."""
    why = Message("file.attaching-unanswered")
    late = [_named(uploads.files[payload.fileId][0].file_name, why) for payload in payloads]
    return Left(tuple(uploads.missing), (*uploads.late, *late), uploads.key_refused)


def left_out(uploads: Uploads, refused: Mapping[str, Rejected]) -> Left:
    """What is left after linking. `refused`: by file id, why Fortnox does not link it."""
    lost = gone(refused)
    late = [_named(uploads.files[file_id][0].file_name, Message("file.upload-gone")) for file_id in lost]
    kept = {file_id: why for file_id, why in refused.items() if file_id not in lost}
    missing = [_refused(uploads.files[file_id][0], why) for file_id, why in kept.items()]
    return Left((*uploads.missing, *missing), (*uploads.late, *late), uploads.key_refused, refused=tuple(kept))


def forget_uploads(context: TransferContext, file_ids: Iterable[str]) -> None:
    """The next try uploads these files anew: a person may have put better ones in their place."""
    for source in _sources(context):
        if (uploaded := _recorded(context, source)) and uploaded.id in file_ids:
            context.record(f"file:{source}", NOT_TAKEN)


def _linked(context: TransferContext, invoice: Invoice) -> set[str]:
    """The ids of the files known to be linked, whoever did it. In doubt, Fortnox is asked."""
    linked = set((context.taken("linked") or "").split())
    if context.in_doubt("linking") and context.cached("links") != LISTED and _lacking(context, invoice, linked):
        linked |= {one.file_id for one in context.fortnox.attachments.list(invoice.invoice_number)}
        context.record("linked", " ".join(sorted(linked)))  # the next request may end the doubt without having linked
        context.remember("links", LISTED)
    return linked


def _lacking(context: TransferContext, invoice: Invoice, linked: AbstractSet[str]) -> dict[str, str]:
    """Source and name of the files that are not known to be linked."""
    files = {_source(attachment): attachment.file_name for attachment in invoice.attachments}
    return {
        source: name
        for source, name in files.items()
        if (uploaded := _recorded(context, source)) is None or uploaded.id not in linked
    }


def _instead(context: TransferContext, invoice: Invoice, linked: AbstractSet[str]) -> tuple[str, ...]:
    """The names of all that is lacking, where as many files that are not ours are linked, and may well be the same:
    a person was told to attach them, or another event of this invoice did. Else they are somebody's own.
    """
    if not context.taken("others"):
        return ()
    lacking = _lacking(context, invoice, linked)
    others = linked - {uploaded.id for uploaded in _all_recorded(context)}
    return tuple(lacking.values()) if len(lacking) <= len(others) else ()


def _share(context: TransferContext, attachments: Sequence[Attachment], until: float) -> float:
    """Seconds that the first of these may take: what is left, shared with those that are still to be fetched."""
    waiting = sum(_recorded(context, _source(attachment)) is None for attachment in attachments)
    return (until - time.monotonic()) / max(waiting, 1)


def _upload(context: TransferContext, attachment: Attachment, place: int, seconds: float) -> Uploaded:
    """The file in Fortnox's inbox: once for an invoice, though it were named twice, or came under two names.

    Raises `FileMissing`, `FileUnavailable` and, where Fortnox does not take the file, `Rejected`.
    """
    source = _source(attachment)
    if known := _recorded(context, source):
        return known
    step = f"file:{source}"
    if context.in_doubt(step):  # whoever uploaded it did not live to see the answer
        log.warning("invoice.orphan_upload", place=place)
        _check_unanswered(context, attachment)
    if seconds < SHORTEST:
        raise FileUnavailable(attachment.file_name, Message("file.no-time-left"))
    if attachment.url:
        context.services.fortnox.check_capacity(context.claim.company)  # it would be fetched in vain
    with context.services.moment.files.open(attachment, seconds) as file:
        uploaded = next((one for one in _all_recorded(context) if one.content == file.sha256), None)
        if uploaded is None:
            uploaded = _sent(context, attachment, file, step, place)
    context.record(step, uploaded.model_dump_json())
    return uploaded


def _sent(context: TransferContext, attachment: Attachment, file: File, step: str, place: int) -> Uploaded:
    try:
        with context.taking(step):
            inbox = context.fortnox.inbox.upload(attachment.file_name, file.stream, attachment.content_type)
    except UNANSWERED as error:
        if isinstance(error, OutcomeUnknown):
            # It may lie in Fortnox's inbox, linked to nothing; it has no name of ours by which it could be found there.
            log.warning("invoice.orphan_upload", place=place, bytes=file.size, sha256=file.sha256)
        _check_unanswered(context, attachment)
        raise
    return Uploaded(id=inbox.archive_file_id, content=file.sha256, size=file.size, pdf=file.is_pdf)


def _check_unanswered(context: TransferContext, attachment: Attachment) -> None:
    """After an upload without an answer. Raises `FileUnavailable` when there were too many to wait any longer."""
    step = f"file:{_source(attachment)}"
    context.record(step, NOT_TAKEN)
    if _too_often(context, step):
        raise FileUnavailable(attachment.file_name, Message("file.uploading-unanswered")) from None


def _too_often(context: TransferContext, step: str) -> bool:
    """Counts a try at the step that had no answer."""
    counted = f"unanswered {step}"
    times = int(context.steps.get(counted, 0)) + 1
    context.record(counted, str(times))
    return times >= UNANSWERED_MOST


def _link(context: TransferContext, payloads: Sequence[AttachmentPayload], linked: set[str]) -> dict[str, Rejected]:
    """Links the files in one request. Where Fortnox refuses it for one of them, one by one: those refused."""
    try:
        _link_together(context, payloads, linked)
    except Rejected as refused:
        if not _is_about_a_file(refused):
            raise
        if len(payloads) > 1:
            return {file: why for one in payloads for file, why in _link(context, [one], linked).items()}
        (only,) = payloads
        if only.includeOnSend:  # perhaps it is only not to be sent along
            return _link(context, [only.model_copy(update={"includeOnSend": False})], linked)
        return {only.fileId: refused}
    return {}


def _link_together(context: TransferContext, payloads: Sequence[AttachmentPayload], linked: set[str]) -> None:
    with context.taking("linking"):
        context.fortnox.attachments.attach(payloads)
    linked.update(payload.fileId for payload in payloads)
    context.record("linked", " ".join(sorted(linked)))


def _payloads(number: int, files: Iterable[Uploaded]) -> list[AttachmentPayload]:
    """All are linked; PDFs go along when Fortnox sends the invoice, as far as its limits reach."""
    payloads, count, size = [], 0, 0
    for file in files:
        sent = file.pdf and file.size <= LARGEST_SENT and count < MOST_SENT and size + file.size <= ALL_SENT
        count, size = count + sent, size + file.size * sent
        payloads.append(AttachmentPayload(entityId=number, fileId=file.id, includeOnSend=sent))
    return payloads


def _is_about_a_file(refused: Rejected) -> bool:
    """Not a missing scope or a request that Fortnox does not understand: those are to be mended, not left out."""
    return isinstance(refused, FileRefused | ValueRefused | NotFound) or type(refused) is Rejected


def _named(name: str, why: Message) -> Message:
    return Message("file.named", file=name, why=why)


def _refused(attachment: Attachment, refused: Rejected) -> Message:
    if not _is_about_a_file(refused):
        raise refused
    log.warning("invoice.file_refused", error_code=refused.code)
    return _named(attachment.file_name, explain(refused).reason)


def _recorded(context: TransferContext, source: str) -> Uploaded | None:
    recorded = context.taken(f"file:{source}")
    return Uploaded.model_validate_json(recorded) if recorded else None


def _all_recorded(context: TransferContext) -> Iterable[Uploaded]:
    return (uploaded for source in _sources(context) if (uploaded := _recorded(context, source)))


def _sources(context: TransferContext) -> list[str]:
    return [step.removeprefix("file:") for step in context.steps if step.startswith("file:")]


def _source(attachment: Attachment) -> str:
    """Where the file comes from, as a digest."""
    return hashlib.sha256((attachment.url or attachment.content or "").encode()).hexdigest()[:24]
