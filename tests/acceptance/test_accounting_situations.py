"""Accounting situations through real workers: how each ends, what is told, and how it goes on when it is mended."""

from typing import Any

from fortnox.situations import explanation
from messages.catalogue import say
from ordering import EventRecord
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, integration_json, invoice_json, project_json
from tests.waiting import wait_until


def an_invoice_meets(system: System, company: str, state: Any = None, **tenant: Any) -> EventRecord:
    """Transfers a customer and a project, lets `state` be done to the ledger, and then an invoice."""
    system.connect(company, **tenant)
    system.publish(customer_json(company=company), project_json(company=company))
    assert system.settled(company, "e1").status == system.settled(company, "e2").status == "done"
    if state is not None:
        state()
    system.publish(invoice_json(company=company, attachments=[]))
    return system.settled(company, "e3")


def mail_about(system: System, company: str, situation: str) -> str:
    """The mail that holds the situation's sentences."""
    reason, remedy = (say(one, "sv") for one in explanation(situation))

    def look() -> str | None:
        texts = [" ".join(mail["text"].split()) for mail in system.mails_to(f"ekonomi@{company}.example")]
        return next((text for text in texts if reason in text and remedy in text), None)

    found = wait_until(look, what=f"a mail about {situation}")
    assert found is not None
    return found


def is_done(system: System, company: str, event_id: str) -> None:
    def look() -> bool:
        record = system.app.services.ordering.event(company, event_id)
        return record is not None and record.status == "done"

    wait_until(look, what=f"{event_id} of {company} to be done")


def booked(system: System, company: str) -> list[bool]:
    return [one["Booked"] for one in system.ledger(company)["invoices"]]


# It fails


def test_a_locked_period_fails_is_told_and_goes_through_after_it_is_opened_and_retried(system: System) -> None:
    sandbox = system.stack.sandbox
    failed = an_invoice_meets(
        system, "locked", lambda: sandbox.post("lock", {"tenant": "locked", "until": "2026-11-30"})
    )
    assert (failed.status, failed.code) == ("failed", "period-locked 2000401")
    mail_about(system, "locked", "period-locked")
    sandbox.post("lock", {"tenant": "locked", "until": None})
    assert system.run("events", "retry", "locked", "e3").returncode == 0
    is_done(system, "locked", "e3")
    assert booked(system, "locked") == [True]


def test_an_invoice_that_the_warehouse_wants_completed_is_posted_after_a_person_has_done_so(system: System) -> None:
    failed = an_invoice_meets(system, "lager", warehouse_module=True)
    assert (failed.status, failed.code) == ("failed", "warehouse 2003498")
    mail_about(system, "lager", "warehouse")
    system.stack.sandbox.post("invoices/1001/complete", {"tenant": "lager"})
    system.run("events", "retry", "lager", "e3")
    is_done(system, "lager", "e3")
    (invoice,) = system.ledger("lager")["invoices"]
    assert invoice["writes"] == {"POST": 1, "bookkeep": 1}


def test_a_customer_deleted_in_fortnox_fails_with_the_advice_to_give_it_a_new_number(system: System) -> None:
    """Fortnox answers the update with 404, and the creation with 2000637: the number stays reserved."""
    sandbox = system.stack.sandbox
    system.connect("raderad")
    system.publish(customer_json(company="raderad"))
    system.settled("raderad", "e1")
    sandbox.delete("customers/10001?tenant=raderad")
    system.publish(customer_json(company="raderad", event_id="changed", name="Skånska Bygg och Mark AB"))
    failed = system.settled("raderad", "changed")
    assert (failed.status, failed.code) == ("failed", "customer-deleted 2000637")
    mail_about(system, "raderad", "customer-deleted")
    system.publish(customer_json(company="raderad", event_id="renumbered", customer_number="10002"))
    assert system.settled("raderad", "renumbered").status == "done"
    assert [one["CustomerNumber"] for one in system.ledger("raderad")["customers"]] == ["10002"]


# It is held


def test_an_invoice_of_a_deleted_customer_is_held_and_saving_the_customer_tells_why(system: System) -> None:
    sandbox = system.stack.sandbox
    held = an_invoice_meets(system, "borta", lambda: sandbox.delete("customers/10001?tenant=borta"))
    assert (held.status, held.blocker) == ("held", "borta/customer/10001")
    mail_about(system, "borta", "customer-unknown")
    system.publish(customer_json(company="borta", event_id="saved"))  # unchanged, and written all the same
    failed = system.settled("borta", "saved")
    assert (failed.status, failed.code) == ("failed", "customer-deleted 2000637")
    mail_about(system, "borta", "customer-deleted")


def test_an_invoice_outside_its_projects_dates_goes_on_by_itself_when_the_project_is_saved(system: System) -> None:
    sandbox = system.stack.sandbox
    held = an_invoice_meets(
        system, "period", lambda: sandbox.post("projects/1", {"tenant": "period", "EndDate": "2026-11-01"})
    )
    assert (held.status, held.blocker, held.code.split()[0]) == ("held", "period/project/1", "project-period")
    mail_about(system, "period", "project-period")
    system.publish(project_json(company="period", event_id="saved"))  # as it was: Fortnox gets its dates again
    is_done(system, "period", "e3")
    assert booked(system, "period") == [True]


# The company pauses


def test_a_withdrawn_consent_pauses_the_company_and_everything_goes_on_after_reconnecting(system: System) -> None:
    sandbox = system.stack.sandbox
    system.connect("avslutad")
    sandbox.post("grants/revoke", {"tenant": "avslutad"})
    system.publish(customer_json(company="avslutad"), project_json(company="avslutad"))
    system.publish(invoice_json(company="avslutad", attachments=[]))
    paused = wait_until(lambda: system.app.services.ordering.paused("avslutad"), what="the pause")
    assert paused == explanation("grant-dead").reason
    wait_until(lambda: system.mails_to("ekonomi@avslutad.example"), what="the mail")
    system.publish(
        integration_json(
            company="avslutad",
            event_id="again",
            authorization_code=sandbox.code("avslutad"),
            error_email="ekonomi@avslutad.example",
        )
    )
    for event in ("e1", "e2", "e3"):
        is_done(system, "avslutad", event)
    assert booked(system, "avslutad") == [True]
