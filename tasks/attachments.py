"""An invoice's files: each is fetched and uploaded, then one request links them all to the invoice.

No file stops its invoice. A file that does not exist, or that Fortnox refuses, is reported as missing; a file that
another attempt may still transfer is reported as late.
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
from moment.files import File, FileKeyRefused, FileUnavailable, NoFile

log = structlog.get_logger(__name__)

# Fortnox's older documentation ("invoice file connections"): the files that it sends with the invoice.
MOST_SENT, LARGEST_SENT, ALL_SENT = 5, 5_000_000, 15_000_000
ALL_FILES, SHORTEST = 30.0, 0.5  # seconds to fetch all files, of the 100 that an attempt has: it posts after them
LISTED = "listed"  # cached: the invoice's links were read
WHOLE = "whole"  # recorded of `others`: another event of this invoice transferred all its files
BEFORE = "before"  # the same: this system transferred the invoice before, and Redis has forgotten how far it came
UNANSWERED = (OutcomeUnknown, Unavailable)
UNANSWERED_MOST = 3  # unanswered attempts to upload a file, or to link files, before the invoice stops waiting for it


class FilesResult(NamedTuple):
    """The files that an attempt did not transfer, each with its name and the reason; empty where it transferred all."""

    missing: tuple[Message, ...] = ()  # left out for good
    late: tuple[Message, ...] = ()  # another attempt may transfer it
    key_refused: bool = False  # some are late until the operator renews the key to Moment
    replaced: tuple[str, ...] = ()  # names of files in whose place others are attached
    refused: tuple[str, ...] = ()  # ids of uploads that Fortnox does not attach


class UploadedFile(BaseModel):
    """The record of an uploaded file. `content` is a digest."""

    id: str
    content: str
    size: int
    pdf: bool


@dataclass
class Uploads:
    """An invoice's uploaded files by their id in Fortnox, and the files that could not be uploaded."""

    files: dict[str, tuple[Attachment, UploadedFile]] = field(default_factory=dict)
    missing: list[Message] = field(default_factory=list)
    late: list[Message] = field(default_factory=list)
    key_refused: bool = False


def transfer_files(context: TransferContext, invoice: Invoice) -> FilesResult:
    """Upload and link the files that are not in Fortnox yet. Return what could not be transferred."""
    if not invoice.attachments:
        return FilesResult()
    linked = _linked(context, invoice)
    if (others := context.taken("others")) and (names := _replaced(context, invoice, linked, others)):
        # An invoice is posted after its files, so one that was posted before has those that it could get.
        whole = others == WHOLE or (others == BEFORE and bool(context.taken("posted")))
        return FilesResult() if whole else FilesResult(replaced=names)
    uploads = _upload_all(context, invoice.attachments)
    wanted = to_links(invoice.invoice_number, [uploaded for _, uploaded in uploads.files.values()])
    fresh = [payload for payload in wanted if payload.fileId not in linked]
    try:
        refused = _link(context, fresh, linked) if fresh else {}
    except UNANSWERED:
        if not _too_often(context, "linking"):
            raise
        return unlinked(uploads, fresh)
    forget_uploads(context, gone(refused))
    return after_linking(uploads, refused)


def _upload_all(context: TransferContext, attachments: Sequence[Attachment]) -> Uploads:
    """Upload each file that is not uploaded yet. A file that cannot be transferred stops no other."""
    uploads = Uploads()
    until = time.monotonic() + ALL_FILES
    for place, attachment in enumerate(attachments, 1):
        try:
            uploaded = _upload(context, attachment, place, _share(context, attachments[place - 1 :], until))
        except NoFile as error:
            log.warning("invoice.no_file", place=place, why=error.why.key)
            (uploads.late if isinstance(error, FileUnavailable) else uploads.missing).append(error.message)
            uploads.key_refused |= isinstance(error, FileKeyRefused)
        except Rejected as error:
            uploads.missing.append(_refused(attachment, error))
        else:
            uploads.files.setdefault(uploaded.id, (attachment, uploaded))
    return uploads


def gone(refused: Mapping[str, Rejected]) -> list[str]:
    """The ids of uploads that Fortnox no longer has: the next attempt uploads them again. Pure."""
    return [file_id for file_id, why in refused.items() if isinstance(why, NotFound)]


def unlinked(uploads: Uploads, payloads: Sequence[AttachmentPayload]) -> FilesResult:
    """The result where Fortnox does not answer the request that links `payloads`. Pure."""
    why = Message("file.attaching-unanswered")
    late = [_named(uploads.files[payload.fileId][0].file_name, why) for payload in payloads]
    return FilesResult(tuple(uploads.missing), (*uploads.late, *late), uploads.key_refused)


def after_linking(uploads: Uploads, refused: Mapping[str, Rejected]) -> FilesResult:
    """The result after linking. `refused`: by file id, why Fortnox does not link it."""
    lost = gone(refused)
    late = [_named(uploads.files[file_id][0].file_name, Message("file.upload-gone")) for file_id in lost]
    kept = {file_id: why for file_id, why in refused.items() if file_id not in lost}
    missing = [_refused(uploads.files[file_id][0], why) for file_id, why in kept.items()]
    return FilesResult((*uploads.missing, *missing), (*uploads.late, *late), uploads.key_refused, refused=tuple(kept))


def forget_uploads(context: TransferContext, file_ids: Iterable[str]) -> None:
    """Let the next attempt upload these files again: a person may have replaced them in Moment."""
    for source in _sources(context):
        if (uploaded := _recorded(context, source)) and uploaded.id in file_ids:
            context.record(f"file:{source}", NOT_TAKEN)


def _linked(context: TransferContext, invoice: Invoice) -> set[str]:
    """The ids of the files linked to the invoice, by us or by others. Asks Fortnox where a link is in doubt."""
    linked = set((context.taken("linked") or "").split())
    if context.in_doubt("linking") and context.cached("links") != LISTED and _lacking(context, invoice, linked):
        linked |= {one.file_id for one in context.fortnox.attachments.list(invoice.invoice_number)}
        context.record("linked", " ".join(sorted(linked)))  # the next request may end the doubt without having linked
        context.remember("links", LISTED)
    return linked


def _lacking(context: TransferContext, invoice: Invoice, linked: AbstractSet[str]) -> dict[str, str]:
    """Source and name of the invoice's files that are not known to be linked."""
    files = {_source(attachment): attachment.file_name for attachment in invoice.attachments}
    return {
        source: name
        for source, name in files.items()
        if (uploaded := _recorded(context, source)) is None or uploaded.id not in linked
    }


def replaced(lacking: Mapping[str, str], linked: AbstractSet[str], own: AbstractSet[str]) -> tuple[str, ...]:
    """The names of all files that lack a link, where at least as many files of others are linked; else none. Pure.

    Those may be the same files: a person attached them when told to, or another event of this invoice did.
    """
    return tuple(lacking.values()) if len(lacking) <= len(linked - own) else ()


def _replaced(context: TransferContext, invoice: Invoice, linked: AbstractSet[str], others: str) -> tuple[str, ...]:
    """The names of the files that are not to be linked, as others of this invoice are."""
    lacking, own = _lacking(context, invoice, linked), _own(context)
    if others == BEFORE and linked - own:  # which of them this system linked is not known: none is linked twice
        return tuple(lacking.values())
    return replaced(lacking, linked, own)


def _share(context: TransferContext, attachments: Sequence[Attachment], until: float) -> float:
    """Seconds to fetch the first of `attachments`: the time left, divided by those still to be fetched."""
    waiting = sum(_recorded(context, _source(attachment)) is None for attachment in attachments)
    return (until - time.monotonic()) / max(waiting, 1)


def _upload(context: TransferContext, attachment: Attachment, place: int, seconds: float) -> UploadedFile:
    """Upload the file to Fortnox's inbox, unless the invoice has the same address or content there already.

    Raises `FileMissing`, `FileUnavailable` and, where Fortnox refuses the file, `Rejected`.
    """
    source = _source(attachment)
    if known := _recorded(context, source):
        return known
    step = f"file:{source}"
    if context.in_doubt(step):  # the worker that uploaded it died before the answer came
        log.warning("invoice.orphan_upload", place=place)
        _check_unanswered(context, attachment)
    if seconds < SHORTEST:
        raise FileUnavailable(attachment.file_name, Message("file.no-time-left"))
    if attachment.url:
        context.services.fortnox.check_capacity(context.claim.company)  # else it is fetched for nothing
    with context.services.moment.files.open(attachment, context.claim.company, seconds) as file:
        uploaded = next((one for one in _all_recorded(context) if one.content == file.sha256), None)
        if uploaded is None:
            uploaded = _sent(context, attachment, file, step, place)
    context.record(step, uploaded.model_dump_json())
    return uploaded


def _sent(context: TransferContext, attachment: Attachment, file: File, step: str, place: int) -> UploadedFile:
    try:
        with context.taking(step):
            inbox = context.fortnox.inbox.upload(attachment.file_name, file.stream, attachment.content_type)
    except UNANSWERED as error:
        if isinstance(error, OutcomeUnknown):
            # A copy may stay in Fortnox's inbox, linked to nothing. Nothing of ours finds it there.
            log.warning("invoice.orphan_upload", place=place, bytes=file.size, sha256=file.sha256)
        _check_unanswered(context, attachment)
        raise
    return UploadedFile(id=inbox.archive_file_id, content=file.sha256, size=file.size, pdf=file.is_pdf)


def _check_unanswered(context: TransferContext, attachment: Attachment) -> None:
    """Count an upload without an answer. Raises `FileUnavailable` at the last that the invoice waits for."""
    step = f"file:{_source(attachment)}"
    context.record(step, NOT_TAKEN)
    if _too_often(context, step):
        raise FileUnavailable(attachment.file_name, Message("file.uploading-unanswered")) from None


def _too_often(context: TransferContext, step: str) -> bool:
    """Count an unanswered attempt at the step. Return whether it was the last that the invoice waits for."""
    counted = f"unanswered {step}"
    times = int(context.steps.get(counted, 0)) + 1
    context.record(counted, str(times))
    return times >= UNANSWERED_MOST


def _link(context: TransferContext, payloads: Sequence[AttachmentPayload], linked: set[str]) -> dict[str, Rejected]:
    """Link the files in one request, or one by one where Fortnox refuses that. Return the refused, by file id."""
    try:
        _link_together(context, payloads, linked)
    except Rejected as refused:
        if not _is_about_a_file(refused):
            raise
        if len(payloads) > 1:
            return {file: why for one in payloads for file, why in _link(context, [one], linked).items()}
        (only,) = payloads
        if only.includeOnSend:  # perhaps Fortnox only refuses to send it with the invoice
            return _link(context, [only.model_copy(update={"includeOnSend": False})], linked)
        return {only.fileId: refused}
    return {}


def _link_together(context: TransferContext, payloads: Sequence[AttachmentPayload], linked: set[str]) -> None:
    with context.taking("linking"):
        context.fortnox.attachments.attach(payloads)
    linked.update(payload.fileId for payload in payloads)
    context.record("linked", " ".join(sorted(linked)))


def to_links(number: int, files: Iterable[UploadedFile]) -> list[AttachmentPayload]:
    """A link for each file. Fortnox sends PDFs with the invoice, within its limits. Pure."""
    payloads, count, size = [], 0, 0
    for file in files:
        sent = file.pdf and file.size <= LARGEST_SENT and count < MOST_SENT and size + file.size <= ALL_SENT
        count, size = count + sent, size + file.size * sent
        payloads.append(AttachmentPayload(entityId=number, fileId=file.id, includeOnSend=sent))
    return payloads


def _is_about_a_file(refused: Rejected) -> bool:
    """Whether the file itself is refused. A missing scope or a malformed request is no reason to leave a file out."""
    return isinstance(refused, FileRefused | ValueRefused | NotFound) or type(refused) is Rejected


def _named(name: str, why: Message) -> Message:
    return Message("file.named", file=name, why=why)


def _refused(attachment: Attachment, refused: Rejected) -> Message:
    if not _is_about_a_file(refused):
        raise refused
    log.warning("invoice.file_refused", error_code=refused.code)
    return _named(attachment.file_name, explain(refused).reason)


def _recorded(context: TransferContext, source: str) -> UploadedFile | None:
    recorded = context.taken(f"file:{source}")
    return UploadedFile.model_validate_json(recorded) if recorded else None


def _own(context: TransferContext) -> set[str]:
    return {uploaded.id for uploaded in _all_recorded(context)}


def _all_recorded(context: TransferContext) -> Iterable[UploadedFile]:
    return (uploaded for source in _sources(context) if (uploaded := _recorded(context, source)))


def _sources(context: TransferContext) -> list[str]:
    return [step.removeprefix("file:") for step in context.steps if step.startswith("file:")]


def _source(attachment: Attachment) -> str:
    """A digest of the file's address or content, by which its steps are recorded."""
    return hashlib.sha256((attachment.url or attachment.content or "").encode()).hexdigest()[:24]
