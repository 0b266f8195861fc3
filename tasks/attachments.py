"""An invoice's files: fetched, uploaded one by one, then linked to the invoice all in one request.

A file that cannot be had or that Fortnox refuses does not hold the invoice up: it is named and left out. One whose
host does not serve just now is named as late, for another try.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from pydantic import BaseModel

from fortnox import explain
from fortnox.errors import FileRefused, NotFound, OutcomeUnknown, Rejected, ValueRefused
from fortnox.payloads import AttachmentPayload
from moment.events import Attachment, Invoice
from moment.files import File, FileUnavailable, NoFile
from tasks.transfer import NOT_TAKEN, Job

log = structlog.get_logger(__name__)

# Fortnox's older documentation ("invoice file connections"): what goes along when it sends the invoice.
MOST_SENT, LARGEST_SENT, ALL_SENT = 5, 5_000_000, 15_000_000


class Left(NamedTuple):
    """What is not in Fortnox, each as `name: why`: `missing` for good, `late` perhaps there at another try."""

    missing: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


class Uploaded(BaseModel):
    """What is recorded of an uploaded file. `content` is a digest."""

    id: str
    content: str
    size: int
    pdf: bool


def transfer_files(job: Job, invoice: Invoice) -> Left:
    """Uploads and links what of the invoice's files is not in Fortnox yet. Returns what could not be transferred."""
    if not invoice.attachments:
        return Left()
    linked = _linked(job, invoice)
    if linked is None:
        return Left()
    files: dict[str, tuple[Attachment, Uploaded]] = {}
    missing: list[str] = []
    late: list[str] = []
    for place, attachment in enumerate(invoice.attachments, 1):
        try:
            uploaded = _upload(job, attachment, place)
        except NoFile as error:
            log.warning("invoice.no_file", place=place, why=error.why)
            (late if isinstance(error, FileUnavailable) else missing).append(str(error))
        except Rejected as error:
            missing.append(_refused(attachment, error))
        else:
            files.setdefault(uploaded.id, (attachment, uploaded))
    wanted = _payloads(invoice.invoice_number, [uploaded for _, uploaded in files.values()])
    fresh = [payload for payload in wanted if payload.fileId not in linked]
    refused = _link(job, fresh, linked) if fresh else {}
    missing += [_refused(files[file_id][0], why) for file_id, why in refused.items()]
    return Left(tuple(missing), tuple(late))


def _linked(job: Job, invoice: Invoice) -> set[str] | None:
    """The ids of the files known to be linked; None where nothing is left to do.

    In doubt, Fortnox is asked. Files that we did not link are counted: another event of the same invoice has done
    it, or a person who was told that one was missing.
    """
    linked = set((job.taken("linked") or "").split())
    sources = {_source(attachment) for attachment in invoice.attachments}
    done = {uploaded.id for source in sources if (uploaded := _recorded(job, source))}
    if job.in_doubt("linking") and not (len(done) == len(sources) and done <= linked):
        linked |= {one.file_id for one in job.fortnox.attachments.list(invoice.invoice_number)}
        job.record("linked", " ".join(sorted(linked)))  # the next request may end the doubt without having linked
        if len(linked) >= len(sources):
            return None
    return linked


def _upload(job: Job, attachment: Attachment, place: int) -> Uploaded:
    """The file in Fortnox's inbox: once for an invoice, though it were named twice, or came under two names.

    Raises `FileMissing`, `FileUnavailable` and, where Fortnox does not take the file, `Rejected`.
    """
    source = _source(attachment)
    if known := _recorded(job, source):
        return known
    step = f"file:{source}"
    if job.in_doubt(step):  # whoever uploaded it did not live to see the answer
        log.warning("invoice.orphan_upload", place=place)
        job.record(step, NOT_TAKEN)
    with job.house.files.open(attachment) as file:
        uploaded = next((one for one in _all_recorded(job) if one.content == file.sha256), None)
        if uploaded is None:
            uploaded = _sent(job, attachment, file, step, place)
    job.record(step, uploaded.model_dump_json())
    return uploaded


def _sent(job: Job, attachment: Attachment, file: File, step: str, place: int) -> Uploaded:
    try:
        with job.taking(step):
            inbox = job.fortnox.inbox.upload(attachment.file_name, file.stream, attachment.content_type)
    except OutcomeUnknown:
        # It may lie in Fortnox's inbox, linked to nothing; it has no name of ours by which it could be found there.
        log.warning("invoice.orphan_upload", place=place, bytes=file.size, sha256=file.sha256)
        job.record(step, NOT_TAKEN)
        raise
    return Uploaded(id=inbox.archive_file_id, content=file.sha256, size=file.size, pdf=file.is_pdf)


def _link(job: Job, payloads: Sequence[AttachmentPayload], linked: set[str]) -> dict[str, Rejected]:
    """Links the files in one request. Where Fortnox refuses it for one of them, one by one: those refused."""
    try:
        _link_together(job, payloads, linked)
    except Rejected as refused:
        if not _is_about_a_file(refused):
            raise
        if len(payloads) > 1:
            return {file: why for one in payloads for file, why in _link(job, [one], linked).items()}
        (only,) = payloads
        if only.includeOnSend:  # perhaps it is only not to be sent along
            return _link(job, [only.model_copy(update={"includeOnSend": False})], linked)
        return {only.fileId: refused}
    return {}


def _link_together(job: Job, payloads: Sequence[AttachmentPayload], linked: set[str]) -> None:
    with job.taking("linking"):
        job.fortnox.attachments.attach(payloads)
    linked.update(payload.fileId for payload in payloads)
    job.record("linked", " ".join(sorted(linked)))


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


def _refused(attachment: Attachment, refused: Rejected) -> str:
    if not _is_about_a_file(refused):
        raise refused
    log.warning("invoice.file_refused", error_code=refused.code)
    return f"{attachment.file_name}: {explain(refused).reason}"


def _recorded(job: Job, source: str) -> Uploaded | None:
    recorded = job.taken(f"file:{source}")
    return Uploaded.model_validate_json(recorded) if recorded else None


def _all_recorded(job: Job) -> Iterable[Uploaded]:
    sources = (step.removeprefix("file:") for step in job.steps if step.startswith("file:"))
    return (uploaded for source in sources if (uploaded := _recorded(job, source)))


def _source(attachment: Attachment) -> str:
    """Where the file comes from, as a digest."""
    return hashlib.sha256((attachment.url or attachment.content or "").encode()).hexdigest()[:24]
