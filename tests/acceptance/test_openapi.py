"""What the worker processes send agrees with Fortnox's own OpenAPI document (tests.openapi)."""

import re

import pytest

from local.day import COMPANY, working_day
from tests.acceptance.conftest import System
from tests.openapi import DOCUMENT, WRITES, faults, load_document
from tests.recording import Sent
from tests.unit.factories import customer_json, project_json
from tests.waiting import wait_until


def test_every_body_that_the_workers_sent_agrees_with_the_document(system: System) -> None:
    document = load_document()
    if document is None:
        pytest.skip(f"Fortnox's OpenAPI document is not at {DOCUMENT}; set FORTNOX_OPENAPI to check the bodies")
    system.stack.sandbox.tenant(COMPANY)
    day = working_day(system.stack.sandbox.code(COMPANY))
    system.publish(*day)
    wait_until(lambda: system.ended(COMPANY) == len(day), what="the sample day")
    system.publish(
        customer_json(name="Skånska Bygg och Mark AB", email=None), project_json(name="Nybygge", end_date=None)
    )
    wait_until(lambda: system.ended(COMPANY) == len(day) + 2, what="the changes")
    bodies = [
        Sent(one["method"], re.sub(r"^(/3/\w+)/[^/]+$", r"\1/{number}", one["path"]), one["body"].encode())
        for one in system.stack.sandbox.get("requests", tenant=COMPANY, bodies="1", limit="5000")["requests"]
        if one["body"]
    ]
    assert {(sent.method, sent.path) for sent in bodies} >= set(WRITES), "a kind of write was never sent"
    assert [fault for sent in bodies for fault in faults(document, sent)] == []
