"""Failures are told by mail, once each, through a real SMTP server; none is lost while that is down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.factories import customer_json, invoice_json
from worker.assembly import App, create_app
from worker.doors.publish import publish
from worker.failures import tell
from worker.local.stack import Stack
from worker.ordering import Done, Failed, Held, Outcome, Pause


class Desk:
    """Events that end as the test says, and the mails about them."""

    def __init__(self, stack: Stack, app: App) -> None:
        self.stack = stack
        self.ordering = app.house.ordering
        self.app = app

    def ends(self, event: dict[str, Any], outcome: Outcome) -> None:
        publish(event, app=self.app)
        claim = self.ordering.claim(event["company"], event["id"])
        assert claim is not None
        self.ordering.settle(claim, outcome)

    def told(self) -> int:
        return tell(self.app.house)

    def mails(self) -> list[dict[str, Any]]:
        return self.stack.sandbox.mails()

    def smtp(self, refuse: str | None) -> None:
        self.stack.sandbox.refuse_mail(refuse)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(Path(tmp_path_factory.mktemp("mail"))) as stack:
        stack.start_services()
        yield stack


@pytest.fixture
def desk(stack: Stack) -> Desk:
    app = create_app(stack.settings)
    app.house.redis.flushdb()
    stack.sandbox.delete("mails")
    return Desk(stack, app)


def test_a_failure_is_told_once_with_what_why_and_what_to_do(desk: Desk) -> None:
    desk.ends(invoice_json(), Failed("The period is locked.", "Open the period, then retry.", "2000401"))
    assert desk.told() == 1
    assert desk.told() == 0
    (mail,) = desk.mails()
    assert mail["to"] == ["drift@integration.example"]  # acme was never connected here
    assert mail["subject"] == "Fortnox: invoice 1001 (12 500.00 SEK) failed"
    for part in ("The period is locked.", "(code 2000401)", "Open the period", "moment-fortnox events retry acme e3"):
        assert part in mail["text"]
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"


def test_equal_failures_go_out_in_one_mail_that_names_each(desk: Desk) -> None:
    for number in range(25):
        event = customer_json(event_id=f"c{number}", customer_number=str(number))
        desk.ends(event, Failed("The customer register is closed to us.", "Grant access.", "2000663"))
    assert desk.told() == 1
    (mail,) = desk.mails()
    assert mail["subject"] == "Fortnox: 25 events failed"
    assert "customer 0 Skånska Bygg AB" in mail["text"]
    assert "and 5 more" in mail["text"]


def test_failures_of_different_causes_are_told_apart(desk: Desk) -> None:
    desk.ends(customer_json(event_id="c1", customer_number="1"), Failed("One cause."))
    desk.ends(customer_json(event_id="c2", customer_number="2"), Failed("Another cause."))
    assert desk.told() == 2


def test_while_smtp_is_down_nothing_is_lost_and_afterwards_nothing_doubled(desk: Desk) -> None:
    desk.ends(invoice_json(), Failed("The period is locked."))
    desk.smtp("450")
    assert desk.told() == 0
    desk.smtp("connection")
    assert desk.told() == 0
    assert desk.mails() == []
    desk.smtp(None)
    assert desk.told() == 1
    assert desk.told() == 0
    assert len(desk.mails()) == 1


def test_a_held_event_is_told_with_what_it_waits_for(desk: Desk) -> None:
    desk.ends(invoice_json(), Held("acme/customer/10001", "The customer does not exist in Fortnox."))
    desk.told()
    (mail,) = desk.mails()
    assert "is waiting" in mail["subject"]
    assert "as soon as customer 10001 has been transferred" in mail["text"]


def test_a_notice_is_told_though_the_event_went_through(desk: Desk) -> None:
    desk.ends(customer_json(), Done(notice="'anna@' is not an e-mail address. It was left out."))
    desk.told()
    (mail,) = desk.mails()
    assert "went through, with a remark" in mail["subject"]
    assert "It was left out." in mail["text"]


def test_a_dead_grant_is_told_once_however_many_events_meet_it(desk: Desk) -> None:
    for number in range(3):
        event = customer_json(event_id=f"c{number}", customer_number=str(number))
        publish(event, app=desk.app)
    claims = [desk.ordering.claim("acme", f"c{number}") for number in range(3)]
    for claim in claims:
        assert claim is not None
        desk.ordering.settle(claim, Pause("The connection to Fortnox has ended."))
    assert desk.told() == 1
    (mail,) = desk.mails()
    assert "The connection to Fortnox has ended." in mail["text"]
    assert "companies connect acme" in mail["text"]


def test_a_name_with_a_line_break_cannot_write_headers(desk: Desk) -> None:
    desk.ends(customer_json(name="Evil\r\nBcc: victim@example.org"), Failed("No."))
    desk.told()
    (mail,) = desk.mails()
    assert "Bcc" not in mail["headers"]
    assert mail["to"] == ["drift@integration.example"]


def test_an_event_mended_before_it_was_told_is_not_told(desk: Desk) -> None:
    desk.ends(invoice_json(), Failed("The period is locked."))
    desk.ordering.retry("acme", "e3")
    assert desk.told() == 0
