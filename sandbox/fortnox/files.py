"""`/3/inbox` and `/3/archive`: uploads and downloads.

Every file has two numbers: `Id` (its place in the inbox) and `ArchiveFileId`. An inbox file is found by
its archive number only through the `fileid` parameter.
"""

import uuid
from typing import Final

from sandbox.fortnox import errors
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Ledger, StoredFile
from sandbox.fortnox.listing import refuse_parameters
from sandbox.http import Answer, Call, Json, answer_json

FOLDERS: Final = {
    "inbox_a": "Inbox_Assets",
    "inbox_b": "Inbox_BankFiles",
    "inbox_d": "Inbox_DailyTakings",
    "inbox_kf": "Inbox_CustomerInvoices",
    "inbox_l": "Inbox_SupplierInvoices",
    "inbox_o": "Inbox_Orders",
    "inbox_of": "Inbox_Offers",
    "inbox_s": "Inbox_Salaries",
    "inbox_v": "Inbox_Vouchers",
}


def store(ledger: Ledger, name: str, content: bytes, content_type: str, folder: str) -> StoredFile:
    file = StoredFile(str(uuid.uuid4()), str(uuid.uuid4()), name, folder, content, content_type)
    ledger.files[file.id] = file
    ledger.files_by_archive_id[file.archive_id] = file
    ledger.counters["files.uploaded"] += 1
    return file


def upload(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call, "path", "folderid", "folderId")
    folder = call.argument("path") or call.argument("folderid") or call.argument("folderId")
    if folder not in FOLDERS:
        raise Refused(2000729, "A valid identifier was not provided.")
    uploads = [one for one in call.uploads if one.field == "file"]
    if len(uploads) != 1 or not uploads[0].name:
        raise errors.no_data()
    one = uploads[0]
    file = store(ledger, one.name, one.content, one.content_type, folder)
    return answer_json({"File": shown(file)}, 201)


def shown(file: StoredFile) -> Json:
    return {
        "@url": f"https://api.fortnox.se/3/inbox/{file.id}",
        "ArchiveFileId": file.archive_id,
        "Comments": None,
        "Id": file.id,
        "Name": file.name,
        "Path": FOLDERS.get(file.folder, file.folder),
        "Size": len(file.content),
    }


def _download(file: StoredFile | None) -> Answer:
    if file is None:
        raise Refused(2000729, "Kan inte hitta filen.", 404)
    return Answer(200, file.content, file.content_type)


def from_inbox(ledger: Ledger, call: Call) -> Answer:
    return _download(ledger.files.get(call.params["Id"]))


def from_archive(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call, "fileid")
    asked = call.argument("fileid")
    if asked is not None:
        return _download(ledger.files_by_archive_id.get(asked))
    file = ledger.files.get(call.params.get("Id", ""))
    return _download(file if file is not None and file.in_archive else None)


def delete(ledger: Ledger, call: Call) -> Answer:
    file = ledger.files.get(call.params["Id"])
    if file is None:
        raise Refused(2000729, "Kan inte hitta filen.", 404)
    if any(attachment.file is file for attachment in ledger.attachments.values()):
        raise Refused(errors.DOCUMENT_LOCKED, "Filen är kopplad till ett dokument.")
    del ledger.files[file.id]
    del ledger.files_by_archive_id[file.archive_id]
    ledger.counters["files.deleted"] += 1
    return Answer(204, content_type="")


ENDPOINTS: Final = (
    Endpoint("POST", "/3/inbox", upload, "inbox", media="multipart/form-data"),
    Endpoint("GET", "/3/inbox/{Id}", from_inbox, "inbox"),
    Endpoint("DELETE", "/3/inbox/{Id}", delete, "inbox"),
    Endpoint("POST", "/3/archive", upload, "archive", media="multipart/form-data"),
    Endpoint("GET", "/3/archive", from_archive, "archive"),
    Endpoint("GET", "/3/archive/{Id}", from_archive, "archive"),
)
