"""What the client sends agrees with Fortnox's own OpenAPI document (tests.openapi).

Each kind of write is checked here; what the other tests sent, at the end of all (`recorder`). Without the document the
check is skipped, and says so.
"""

import io
import json
from typing import Any

import pytest

from delivery.upsert import create_or_update
from fortnox.client import Fortnox
from fortnox.payloads import AttachmentPayload
from tests import openapi
from tests.fortnox_things import MemoryLinks, a_customer, a_project, an_invoice
from tests.openapi import DOCUMENT, HOLES, WRITES, Hole, faults, load_document
from tests.recording import Recorder, Sent


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found = load_document()
    if found is None:
        pytest.skip(f"Fortnox's OpenAPI document is not at {DOCUMENT}; set FORTNOX_OPENAPI to check the bodies")
    return found


@pytest.fixture
def a_day(fortnox: Fortnox) -> None:
    """Each kind of write."""
    links = MemoryLinks()
    for name in ("Skånska Bygg AB", "Skånska Bygg & Co"):
        create_or_update(fortnox.customers, links, a_customer(name=name))
    for _ in range(2):
        create_or_update(fortnox.projects, MemoryLinks(), a_project())
    fortnox.invoices.create(an_invoice().for_create())
    file = fortnox.inbox.upload("a.pdf", io.BytesIO(b"%PDF-1.4"), "application/pdf")
    fortnox.attachments.attach([AttachmentPayload(entityId=1001, fileId=file.archive_file_id, includeOnSend=True)])


@pytest.mark.usefixtures("a_day")
def test_each_kind_of_write_agrees_with_the_document(document: dict[str, Any], recorder: Recorder) -> None:
    bodies = recorder.bodies()

    assert {(sent.method, sent.path) for sent in bodies} >= set(WRITES), "a kind of write was never recorded"
    assert [fault for sent in bodies for fault in faults(document, sent)] == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"Customer": {"Name": "x", "CustomerNumber": "1", "Surname": "y"}}, "'Surname' was unexpected"),
        ({"Customer": {"Name": 7}}, "7 is not of type 'string'"),
        ({"Customer": {"CountryCode": "SWE", "Name": "x"}}, "'SWE' is too long"),
        ({"Customer": {"CustomerNumber": "1"}}, "'Name' is a required property"),
        ({"Kund": {}}, "'Kund' was unexpected"),
    ],
)
def test_a_wrong_body_is_noticed(document: dict[str, Any], body: Any, fault: str) -> None:
    found = faults(document, Sent("POST", "/3/customers", json.dumps(body).encode()))

    assert any(fault in text for text in found)


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: f"{hole.field}-{hole.rule}")
def test_each_hole_is_one_still(document: dict[str, Any], hole: Hole) -> None:
    """A hole that Fortnox has closed must leave the table."""
    value = 1.5 if hole.value is None else hole.value
    path, fields = {
        "CountryCode": ("/3/customers", {"Customer": {"Name": "x", "CountryCode": value}}),
        "VAT": ("/3/invoices", {"Invoice": {"CustomerNumber": "1", "InvoiceRows": [{"VAT": value}]}}),
    }.get(hole.field, ("/3/projects", {"Project": {"Description": "x", hole.field: value}}))
    sent = Sent("POST", path, json.dumps(fields).encode())

    assert faults(document, sent) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openapi, "HOLES", ())
        assert len(faults(document, sent)) == 1
