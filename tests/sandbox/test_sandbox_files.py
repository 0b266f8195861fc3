"""The inbox, the archive and attachments: two numbers of one file, limits, orphans."""

from typing import Any

import pytest
import requests

from tests.sandbox.sandbox_client import Ledger

API = "/api/fileattachments/attachments-v1"


def attach(ledger: Ledger, *file_ids: str, **more: Any) -> requests.Response:
    one = {"entityId": 1001, "entityType": "F", "includeOnSend": True, **more}
    return ledger.post(API, [{"fileId": file_id, **one} for file_id in file_ids])


@pytest.fixture
def billed(shop: Ledger) -> Ledger:
    shop.invoice("1001")
    shop.invoice("1002")
    return shop


def test_an_uploaded_file_is_an_orphan_until_it_is_attached(billed: Ledger) -> None:
    file = billed.upload("räkning 1.pdf")
    assert [one["Name"] for one in billed.state()["orphans"]] == ["räkning 1.pdf"]
    assert attach(billed, file["ArchiveFileId"]).status_code == 201
    state = billed.state()
    assert state["orphans"] == []
    assert [one["Name"] for one in state["invoices"][0]["attachments"]] == ["räkning 1.pdf"]


def test_attachments_are_listed_counted_changed_and_removed(billed: Ledger) -> None:
    made = attach(billed, billed.upload()["ArchiveFileId"]).json()[0]
    listed = billed.get(API, entityid="1001", entitytype="F").json()
    assert listed == [made]
    assert billed.get(API, entityid="1002", entitytype="F").json() == []
    counted = billed.get(f"{API}/numberofattachments", entityids="1001,1002", entitytype="F").json()
    assert [one["numberOfAttachments"] for one in counted] == [1, 0]
    changed = billed.put(f"{API}/{made['id']}", {"includeOnSend": False}).json()
    assert changed["includeOnSend"] is False
    assert billed.delete(f"{API}/{made['id']}").status_code == 204
    assert billed.delete(f"{API}/{made['id']}").json()["error"] == "attachment_not_found"


def test_id_instead_of_archive_file_id_is_a_wrong_location(billed: Ledger) -> None:
    answer = attach(billed, billed.upload()["Id"])
    assert (answer.status_code, answer.json()["error"]) == (400, "wrong_file_location")


def test_a_file_elsewhere_in_the_inbox_is_a_wrong_location(billed: Ledger) -> None:
    answer = attach(billed, billed.upload(folder="inbox_v")["ArchiveFileId"])
    assert answer.json()["error"] == "wrong_file_location"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ([], 400, "no_attachment_provided"),
        ({}, 400, "no_attachment_provided"),
        ([{"entityType": "F", "fileId": "x"}], 400, "missing_mandatory_field"),
        ([{"entityId": "1001", "entityType": "F", "fileId": "x"}], 400, "missing_mandatory_field"),
        ([{"entityId": 1001, "entityType": "F", "fileId": "x", "id": "y"}], 400, "field_not_writable"),
        ([{"entityId": 404, "entityType": "F", "fileId": "x"}], 404, "document_not_found"),
        ([{"entityId": 1001, "entityType": "O", "fileId": "x"}], 404, "document_not_found"),
        ([{"entityId": 1001, "entityType": "F", "fileId": "x"}], 404, "file_not_found"),
        (
            [{"entityId": n, "entityType": "F", "fileId": "x"} for n in (1001, 1002)],
            400,
            "mixed_documents",
        ),
        (
            [{"entityId": 1001, "entityType": "F", "fileId": "x"}] * 21,
            400,
            "too_many_attachments_in_one_request",
        ),
    ],
)
def test_a_wrong_attachment_is_refused_in_its_own_envelope(billed: Ledger, body: Any, status: int, error: str) -> None:
    answer = billed.post(API, body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "id", "message"}


def test_limits_of_size_and_kind_hold(billed: Ledger) -> None:
    billed.settings(attachment_max_bytes=100, attachments_max_total_bytes=150)
    big, small = billed.upload(content=b"%PDF" + b"x" * 97), billed.upload(content=b"%PDF" + b"x" * 90)
    text = billed.upload("a.txt", b"text")
    assert attach(billed, big["ArchiveFileId"]).json()["error"] == "file_too_big"
    assert attach(billed, text["ArchiveFileId"]).json()["error"] == "wrong_file_type"
    assert attach(billed, text["ArchiveFileId"], includeOnSend=False).status_code == 201
    twice = attach(billed, small["ArchiveFileId"], small["ArchiveFileId"])
    assert twice.json()["error"] == "attachment_files_max_size_exceeded"


@pytest.mark.parametrize(("overflow", "status"), [("silent", 201), ("refused", 400)])
def test_the_sixth_included_file_is_silently_left_out_or_refused(billed: Ledger, overflow: str, status: int) -> None:
    billed.settings(include_on_send_overflow=overflow)
    ids = [billed.upload()["ArchiveFileId"] for _ in range(6)]
    answer = attach(billed, *ids)
    assert answer.status_code == status
    if status == 201:
        assert [one["includeOnSend"] for one in answer.json()] == [True] * 5 + [False]


def test_the_same_file_attached_twice_is_there_twice(billed: Ledger) -> None:
    file = billed.upload()["ArchiveFileId"]
    attach(billed, file)
    attach(billed, file)
    assert len(billed.get(API, entityid="1001", entitytype="F").json()) == 2


def test_an_inbox_file_is_found_by_its_archive_number_only_as_a_parameter(billed: Ledger) -> None:
    file = billed.upload(content=b"%PDF content")
    archive = file["ArchiveFileId"]
    assert billed.get(f"/3/inbox/{file['Id']}").content == b"%PDF content"
    assert billed.get("/3/archive", fileid=archive).content == b"%PDF content"
    assert billed.get(f"/3/archive/{archive}").status_code == 404
    assert billed.get(f"/3/archive/{file['Id']}").status_code == 404


@pytest.mark.parametrize("field", ["upload", "File"])
def test_an_upload_needs_its_field_name(billed: Ledger, field: str) -> None:
    files = {field: ("a.pdf", b"%PDF", "application/pdf")}
    answer = billed.request("POST", "/3/inbox", params={"path": "inbox_kf"}, files=files)
    assert answer.status_code == 400


def test_an_upload_needs_a_folder_and_a_multipart_body(billed: Ledger) -> None:
    files = {"file": ("a.pdf", b"%PDF", "application/pdf")}
    assert billed.request("POST", "/3/inbox", params={"path": "inbox_x"}, files=files).status_code == 400
    answer = billed.request("POST", "/3/inbox", params={"path": "inbox_kf"}, json={"file": "x"})
    assert answer.json()["ErrorInformation"]["Code"] == 1000031


def test_an_orphan_can_be_deleted_but_not_an_attached_file(billed: Ledger) -> None:
    attached, orphan = billed.upload(), billed.upload()
    attach(billed, attached["ArchiveFileId"])
    assert billed.delete(f"/3/inbox/{orphan['Id']}").status_code == 204
    assert billed.delete(f"/3/inbox/{attached['Id']}").status_code == 400
