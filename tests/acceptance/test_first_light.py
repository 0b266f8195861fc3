"""From an event to the ledger, through real processes: what arrives, what it costs, and what becomes of bad input."""

import json
from decimal import Decimal
from typing import Any

from celery import Celery

from messages import Message
from messages.catalogue import say
from ordering import EventRecord
from tests.acceptance.conftest import System
from tests.unit.factories import (
    a_line,
    credit_note_json,
    customer_json,
    integration_json,
    invoice_json,
    project_json,
)
from tests.waiting import wait_until


def a_company_with_an_invoice(system: System, company: str, **invoice: Any) -> EventRecord:
    """Connects the company and publishes a customer, a project and an invoice; returns the invoice's end."""
    system.connect(company)
    system.publish(
        customer_json(company=company),
        project_json(company=company),
        invoice_json(company=company, attachments=[], **invoice),
    )
    return system.settled(company, "e3")


def requests_to(system: System, company: str) -> list[str]:
    return [one for one in system.stack.sandbox.requests(company) if " /oauth" not in one]


def test_a_customer_a_project_and_an_invoice_arrive_and_the_invoice_is_posted(system: System) -> None:
    assert a_company_with_an_invoice(system, "arrives").status == "done"
    ledger = system.ledger("arrives")
    (customer,), (project,), (invoice,) = ledger["customers"], ledger["projects"], ledger["invoices"]
    assert (customer["CustomerNumber"], customer["Name"], customer["City"]) == ("10001", "Skånska Bygg AB", "Malmö")
    assert (project["ProjectNumber"], project["StartDate"], project["Status"]) == ("1", "2026-11-01", "ONGOING")
    assert (int(invoice["DocumentNumber"]), invoice["Booked"], invoice["OCR"]) == (1001, True, "10017")
    assert Decimal(str(invoice["Total"])) == Decimal("12500.00")
    assert requests_to(system, "arrives")[-2:] == ["POST /3/invoices", "PUT /3/invoices/1001/bookkeep"]


def test_an_unchanged_customer_costs_no_request_and_a_changed_one_exactly_one(system: System) -> None:
    system.connect("frugal")
    system.publish(customer_json(company="frugal", event_id="c1"))
    system.settled("frugal", "c1")
    before = len(requests_to(system, "frugal"))
    system.publish(customer_json(company="frugal", event_id="c2"))
    assert system.settled("frugal", "c2").status == "done"
    assert len(requests_to(system, "frugal")) == before
    system.publish(customer_json(company="frugal", event_id="c3", name="Skånska Bygg och Mark AB", email=None))
    system.settled("frugal", "c3")
    assert requests_to(system, "frugal")[before:] == ["PUT /3/customers/10001"]
    (customer,) = system.ledger("frugal")["customers"]
    assert (customer["Name"], customer["Email"] or "") == ("Skånska Bygg och Mark AB", "")


def test_an_invoice_published_before_its_customer_is_done_waits_for_it(system: System) -> None:
    system.connect("ordered")
    system.publish(
        *(customer_json(company="ordered", event_id=f"c{n}", name=f"Version {n}", sequence=n) for n in range(1, 6)),
        project_json(company="ordered"),
        invoice_json(company="ordered", attachments=[]),
        credit_note_json(company="ordered"),
    )
    assert system.settled("ordered", "e5").status == "done"
    (customer,) = system.ledger("ordered")["customers"]
    assert customer["Name"] == "Version 5"
    invoices = {int(one["DocumentNumber"]): one for one in system.ledger("ordered")["invoices"]}
    assert Decimal(str(invoices[1002]["Total"])) == Decimal("-12500.00")
    assert all(one["Booked"] for one in invoices.values())


def test_a_rejected_invoice_fails_is_mailed_once_and_goes_through_after_it_was_mended(system: System) -> None:
    failed = a_company_with_an_invoice(system, "mended", lines=[a_line(account_number="3599")])
    assert failed.status == "failed"
    assert "chart of accounts" in say(failed.reason)
    wait_until(lambda: system.mails_to("ekonomi@mended.example"), what="the mail")
    (mail,) = system.mails_to("ekonomi@mended.example")
    assert "faktura 1001 till Skånska Bygg AB" in mail["subject"]
    assert "kontoplanen" in mail["text"]
    assert "12 500,00 kr" in mail["html"]
    assert "drift@integration.example" in mail["text"]
    system.stack.sandbox.account("mended", 3599)
    assert system.run("events", "retry", "mended", "e3").returncode == 0
    assert system.settled("mended", "e3").status == "done"
    assert len(system.mails_to("ekonomi@mended.example")) == 1


def test_totals_further_apart_than_rounding_explains_fail_before_anything_is_sent(system: System) -> None:
    failed = a_company_with_an_invoice(system, "apart", total_including_vat="12600.00")
    assert failed.status == "failed"
    assert "12,600.00 SEK was billed, but the lines come to 12,500.00 SEK" in say(failed.reason)
    assert not [one for one in requests_to(system, "apart") if "invoices" in one]


def test_an_invoice_for_an_unknown_customer_is_held_and_goes_on_when_the_customer_comes(system: System) -> None:
    system.connect("held")
    system.publish(project_json(company="held"), invoice_json(company="held", attachments=[]))
    held = system.settled("held", "e3")
    assert held.status == "held"
    assert "customer" in say(held.reason).lower()
    system.publish(customer_json(company="held"))
    wait_until(lambda: system.app.services.ordering.counts("held")["done"] == 4, what="the invoice to go through")


def test_events_of_a_company_without_a_connection_fail_with_that_reason_and_can_be_retried(system: System) -> None:
    system.publish(customer_json(company="nobody"))
    failed = system.settled("nobody", "e1")
    assert failed.status == "failed"
    assert failed.reason.key == "delivery.never-connected"
    system.connect("nobody")
    system.run("events", "retry", "--all-failed", "nobody")
    assert system.settled("nobody", "e1").status == "done"


def test_a_disabled_companys_events_are_skipped_with_the_reason(system: System) -> None:
    system.connect("leaver")
    system.publish(
        integration_json(company="leaver", event_id="off", type="integration.disabled"), customer_json(company="leaver")
    )
    skipped = system.settled("leaver", "e1")
    assert (skipped.status, skipped.reason) == ("skipped", Message("transfer.disabled"))
    assert system.ledger("leaver")["customers"] == []


# Entrances and bad input


def test_a_producer_without_this_package_sends_events_through_celerys_protocol(system: System) -> None:
    system.connect("foreign")
    with Celery("elsewhere", broker=system.stack.environment["REDIS_URL"]) as producer:
        producer.send_task("events.receive", args=[customer_json(company="foreign")], queue="events")
        assert system.settled("foreign", "e1").status == "done"


def test_an_invalid_event_through_celery_is_kept_whole_as_failed_and_mailed_to_the_operator(system: System) -> None:
    bad = customer_json(company="garbled", event_id="bad", customer_number="1/2")
    with Celery("elsewhere", broker=system.stack.environment["REDIS_URL"]) as producer:
        producer.send_task("events.receive", args=[bad], queue="events")
        producer.send_task("events.receive", args=[["no", "event"]], queue="events")
        failed = system.settled("garbled", "bad")
    assert failed.status == "failed"
    assert "customer.customerNumber" in say(failed.reason)
    assert "1/2" in say(failed.reason)
    assert json.loads(system.app.services.ordering.body("garbled", "bad") or "") == bad
    wait_until(lambda: len(system.mails_to("drift@integration.example")) >= 2, what="mails to the operator")


def test_publish_with_a_bad_line_accepts_nothing_and_names_each_line_path_and_reason(system: System) -> None:
    good = json.dumps(customer_json(company="picky"))
    bad_number = json.dumps(customer_json(company="picky", customer_number="1/2"))
    no_lines = json.dumps(invoice_json(company="picky", lines=[]))
    no_account = json.dumps(invoice_json(company="picky", lines=[a_line(account_number=None)]))
    unknown_type = json.dumps({**customer_json(company="picky"), "type": "customer.deleted"})
    lines = [good, bad_number, "{not json", no_lines, no_account, unknown_type]
    done = system.run("publish", "-", stdin="\n".join(lines))
    assert done.returncode == 1
    told = done.stderr
    assert (
        "line 2: customer.customerNumber: must be 1 to 50 characters without a slash or a space (given: '1/2')" in told
    )
    assert "line 3: event: not JSON" in told
    assert "line 4: invoice.lines:" in told
    assert "line 5: invoice.lines.0.accountNumber:" in told
    assert "line 6: type: unknown event type" in told
    assert "customer.deleted" in told
    assert "line 1:" not in told
    assert "picky" not in system.app.services.ordering.companies()


def test_publishing_a_file_twice_changes_nothing_and_says_so(system: System) -> None:
    system.connect("twice")
    assert json.loads(
        system.run("publish", "-", "--json", stdin=json.dumps(customer_json(company="twice"))).stdout
    ) == {
        "accepted": 1,
        "known": 0,
        "unknownFields": {},
    }
    system.settled("twice", "e1")
    again = system.run("publish", "-", "--json", stdin=json.dumps(customer_json(company="twice")))
    assert (again.returncode, json.loads(again.stdout)) == (0, {"accepted": 0, "known": 1, "unknownFields": {}})


def test_wait_and_status_tell_programs_how_things_stand(system: System) -> None:
    system.connect("counted")
    system.publish(customer_json(company="counted"))
    waited = system.run("wait", "--timeout", "120", "--company", "counted")
    assert waited.returncode == 0, waited.stderr
    told = json.loads(system.run("status", "--company", "counted", "--json").stdout)
    assert told["companies"]["counted"]["connection"] == "connected"
    assert told["companies"]["counted"]["events"]["done"] == 2
    assert told["oldestWaitingSeconds"] is None
    assert set(told["events"]) == {
        "waiting",
        "ready",
        "running",
        "retrying",
        "held",
        "failed",
        "done",
        "superseded",
        "skipped",
    }
