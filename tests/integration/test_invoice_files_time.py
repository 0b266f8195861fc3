"""The time that an invoice's files may take: some is left for those that do come, and for the posting."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr
from redis import Redis

from delivery.context import TransferContext
from fortnox.client import Fortnox
from local.sandbox import MOMENT_KEY
from messages import Message
from moment.events import parse_event
from moment.files import FileSource
from ordering import Ordering, Submission
from tasks import attachments
from tasks.attachments import transfer_files
from tests.fortnox_things import a_customer, a_project, an_invoice
from tests.services import Sandbox
from tests.unit.factories import an_attachment, invoice_json

HANGS = 120.0  # seconds


@pytest.fixture
def ordering(redis_url: str) -> Iterator[Ordering]:
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        redis.flushdb()
        yield Ordering(redis)


def a_job(ordering: Ordering, sandbox: Sandbox, fortnox: Fortnox, event: dict[str, Any]) -> TransferContext:
    """The first attempt at the event, its invoice being in Fortnox."""
    ordering.publish(Submission("acme", "e3", "acme/invoice/1001", "invoice.finalized", "{}", datetime.now(UTC)))
    claim = ordering.claim("acme", "e3")
    assert claim is not None
    files = FileSource(f"{sandbox.moment}/api/1.0", SecretStr(MOMENT_KEY), ())
    parts = {
        "ordering": ordering,
        "moment": SimpleNamespace(files=files),
        "fortnox": SimpleNamespace(open=lambda lease: fortnox, check_capacity=lambda company: None),
    }
    services = cast(Any, SimpleNamespace(**parts))
    fortnox.customers.create(a_customer().for_create())
    fortnox.projects.create(a_project().for_create())
    fortnox.invoices.create(an_invoice().for_create())
    return TransferContext(parse_event(event), claim, cast(Any, SimpleNamespace(ledger=None)), services)


def test_files_that_never_come_are_late_and_leave_time_for_the_others(
    sandbox: Sandbox, fortnox: Fortnox, ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "ALL_FILES", 4.0)
    names = ["a.pdf", "b.pdf", "c.pdf", "here.pdf"]
    files = []
    for name in names:
        delay = 0.0 if name == "here.pdf" else HANGS
        path = sandbox.in_moment("POST", "files", {"company": "acme", "name": name, "size": 1_000, "delay": delay})
        files.append(an_attachment(file_name=name, url=sandbox.moment + path["path"]))
    context = a_job(ordering, sandbox, fortnox, invoice_json(attachments=files))
    started = time.monotonic()
    left = transfer_files(context, context.event.invoice)
    assert time.monotonic() - started < HANGS / 2
    assert [one.params["file"] for one in left.late] == ["a.pdf", "b.pdf", "c.pdf"]
    assert left.missing == ()
    assert [one["Name"] for one in sandbox.state("acme")["invoices"][0]["attachments"]] == ["here.pdf"]


@pytest.mark.parametrize("part", ["head", "continues", "body"])
def test_a_file_whose_host_drips_is_late_and_the_next_one_comes(
    sandbox: Sandbox, fortnox: Fortnox, ordering: Ordering, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(attachments, "ALL_FILES", 3.0)
    paths = [
        sandbox.in_moment("POST", "files", {"company": "acme", "name": name, "size": 1_000})["path"]
        for name in ("a.pdf", "here.pdf")
    ]
    sandbox.in_moment("POST", "faults", {"kind": "drip", "part": part, "seconds": 0.1, "path": paths[0]})
    files = [an_attachment(file_name=path.rpartition("/")[2], url=sandbox.moment + path) for path in paths]
    context = a_job(ordering, sandbox, fortnox, invoice_json(attachments=files))
    started = time.monotonic()
    left = transfer_files(context, context.event.invoice)
    assert time.monotonic() - started < HANGS / 3
    assert [one.params["file"] for one in left.late] == ["a.pdf"]
    assert [one["Name"] for one in sandbox.state("acme")["invoices"][0]["attachments"]] == ["here.pdf"]


def test_a_file_whose_turn_comes_too_late_is_late(
    sandbox: Sandbox, fortnox: Fortnox, ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "ALL_FILES", 0.0)
    inside = an_attachment(file_name="a.pdf", url=None, content="JVBERi0xLjQ=")
    context = a_job(ordering, sandbox, fortnox, invoice_json(attachments=[inside]))
    assert transfer_files(context, context.event.invoice).late == (
        Message("file.named", file="a.pdf", why=Message("file.no-time-left")),
    )
