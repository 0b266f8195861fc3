"""`/api/fileattachments/attachments-v1`: files on invoices, with an error envelope of its own.

The limits are those of Fortnox's older documentation (5 MB a file, 15 MB and five included files an
invoice, PDF where the file is to be sent along); each is a setting of the ledger.
"""

import uuid
from typing import Final

from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import AttachmentRefused
from sandbox.fortnox.ledger import Attachment, Ledger, StoredFile
from sandbox.http import Answer, Call, Json, answer_json, load

BASE: Final = "/api/fileattachments/attachments-v1"
WRITABLE: Final = frozenset({"entityId", "entityType", "fileId", "includeOnSend"})
SENDABLE_FOLDERS: Final = frozenset({"inbox_kf", "inbox_o", "inbox_of"})


def attach(ledger: Ledger, call: Call) -> Answer:
    wanted = _wanted(ledger, call)
    entity_id, entity_type = wanted[0]["entityId"], wanted[0]["entityType"]
    if any((one["entityId"], one["entityType"]) != (entity_id, entity_type) for one in wanted):
        raise AttachmentRefused("mixed_documents")
    if entity_type != "F" or str(entity_id) not in ledger.invoices:
        raise AttachmentRefused("document_not_found", status=404)
    present = ledger.attachments_of.get(entity_id, [])
    files = [_file(ledger, one) for one in wanted]
    size = sum(len(attachment.file.content) for attachment in present)
    size += sum(len(file.content) for file in files)
    if size > ledger.settings.attachments_max_total_bytes:
        raise AttachmentRefused("attachment_files_max_size_exceeded")
    included = sum(attachment.include_on_send for attachment in present)
    made = []
    for one, file in zip(wanted, files, strict=True):
        include = bool(one.get("includeOnSend", False))
        if include and included >= ledger.settings.attachments_max_included:
            if ledger.settings.include_on_send_overflow == "refused":
                raise AttachmentRefused("attachment_files_max_count_exceeded")
            include = False
        included += include
        made.append(Attachment(str(uuid.uuid4()), entity_id, entity_type, file, include))
    for attachment in made:
        ledger.attachments[attachment.id] = attachment
    ledger.attachments_of.setdefault(entity_id, []).extend(made)
    ledger.counters["attachments.created"] += len(made)
    return answer_json([_shown(attachment) for attachment in made], 201)


def _wanted(ledger: Ledger, call: Call) -> list[dict[str, Json]]:
    try:
        wanted = load(call.body)
    except ValueError:
        raise AttachmentRefused("missing_mandatory_field", "not JSON") from None
    if not isinstance(wanted, list) or not wanted:
        raise AttachmentRefused("no_attachment_provided")
    if len(wanted) > ledger.settings.attachments_max_in_request:
        raise AttachmentRefused("too_many_attachments_in_one_request")
    for one in wanted:
        if not isinstance(one, dict) or not {"entityId", "entityType", "fileId"} <= set(one):
            raise AttachmentRefused("missing_mandatory_field")
        if set(one) - WRITABLE:
            raise AttachmentRefused("field_not_writable", ", ".join(sorted(set(one) - WRITABLE)))
        if type(one["entityId"]) is not int or not isinstance(one["fileId"], str):
            raise AttachmentRefused("missing_mandatory_field", "entityId is a number, fileId a text")
    return wanted


def _file(ledger: Ledger, one: dict[str, Json]) -> StoredFile:
    file = ledger.files_by_archive_id.get(one["fileId"])
    if file is None:
        if one["fileId"] in ledger.files:  # `Id` where `ArchiveFileId` belongs
            raise AttachmentRefused("wrong_file_location")
        raise AttachmentRefused("file_not_found", status=404)
    if file.folder not in SENDABLE_FOLDERS:
        raise AttachmentRefused("wrong_file_location")
    if len(file.content) > ledger.settings.attachment_max_bytes:
        raise AttachmentRefused("file_too_big")
    if one.get("includeOnSend", False) and not file.content.startswith(b"%PDF"):
        raise AttachmentRefused("wrong_file_type")
    return file


def listed(ledger: Ledger, call: Call) -> Answer:
    asked = dict(call.query)
    if set(asked) != {"entityid", "entitytype"} or not asked["entityid"].isdecimal():
        raise AttachmentRefused("missing_mandatory_field", "entityid and entitytype")
    if asked["entitytype"] != "F":
        return answer_json([])
    return answer_json([_shown(one) for one in ledger.attachments_of.get(int(asked["entityid"]), [])])


def count(ledger: Ledger, call: Call) -> Answer:
    asked = dict(call.query)
    ids = [int(text) for text in asked.get("entityids", "").split(",") if text.isdecimal()]
    counted = [{"entityId": one, "numberOfAttachments": len(ledger.attachments_of.get(one, []))} for one in ids]
    return answer_json(counted)


def change(ledger: Ledger, call: Call) -> Answer:
    attachment = _find(ledger, call)
    try:
        wanted = load(call.body)
    except ValueError:
        raise AttachmentRefused("missing_mandatory_field", "not JSON") from None
    if not isinstance(wanted, dict) or set(wanted) - {"includeOnSend", "id"}:
        raise AttachmentRefused("field_not_writable")
    if wanted.get("id", attachment.id) != attachment.id:
        raise AttachmentRefused("mismatch_attachment_id")
    attachment.include_on_send = bool(wanted.get("includeOnSend", attachment.include_on_send))
    return answer_json(_shown(attachment))


def detach(ledger: Ledger, call: Call) -> Answer:
    attachment = _find(ledger, call)
    del ledger.attachments[attachment.id]
    ledger.attachments_of[attachment.entity_id].remove(attachment)
    ledger.counters["attachments.deleted"] += 1
    return Answer(204, content_type="")


def _find(ledger: Ledger, call: Call) -> Attachment:
    attachment = ledger.attachments.get(call.params["attachmentId"])
    if attachment is None:
        raise AttachmentRefused("attachment_not_found", status=404)
    return attachment


def _shown(attachment: Attachment) -> Json:
    return {
        "id": attachment.id,
        "entityId": attachment.entity_id,
        "entityType": attachment.entity_type,
        "fileId": attachment.file.archive_id,
        "includeOnSend": attachment.include_on_send,
    }


# The scope is not documented. The files belong to invoices, so `invoice` is assumed.
ENDPOINTS: Final = (
    Endpoint("POST", BASE, attach, "invoice"),
    Endpoint("GET", BASE, listed, "invoice"),
    Endpoint("GET", f"{BASE}/numberofattachments", count, "invoice"),
    Endpoint("PUT", f"{BASE}/{{attachmentId}}", change, "invoice"),
    Endpoint("DELETE", f"{BASE}/{{attachmentId}}", detach, "invoice"),
)
