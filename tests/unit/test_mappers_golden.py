"""The contract's sample events, and the exact bodies that Fortnox is sent for them (without their envelope)."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from fortnox.transport import json_bytes
from mappers import InvoiceOptions, to_customer, to_invoice, to_project
from moment.events import CustomerEvent, InvoiceEvent, ProjectEvent, parse_event

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_sample_event_becomes_exactly_this(file: Path) -> None:
    sample = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    match parse_event(sample["event"]):
        case CustomerEvent(customer=customer):
            body = to_customer(customer).payload.for_create()
        case ProjectEvent(project=project):
            body = to_project(project).payload.for_create()
        case InvoiceEvent(invoice=invoice):
            body = to_invoice(invoice, InvoiceOptions()).payload.for_create()
        case other:
            raise AssertionError(f"no mapper for {other.type}")
    assert json.loads(json_bytes(body), parse_float=Decimal) == sample["fortnox"]
    assert list(json.loads(json_bytes(body))) == list(sample["fortnox"])  # in Fortnox's order


def test_there_is_a_sample_of_each_kind() -> None:
    assert {file.stem for file in GOLDEN} == {"customer", "project", "invoice", "credit_note"}
