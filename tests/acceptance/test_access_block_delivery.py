"""A part of Fortnox that is closed to a company: one mail, what needs it waits, everything else goes on."""

import base64
from typing import Any

from fortnox.situations import explanation
from messages.catalogue import say
from tasks.flows import PROBE
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, integration_json, invoice_json, project_json
from tests.waiting import wait_until

A_FILE = {
    "fileName": "faktura.pdf",
    "contentType": "application/pdf",
    "content": base64.b64encode(b"%PDF-1.4").decode(),
}


def connect(system: System, company: str, *, scopes: str = "", event_id: str = "on", **tenant: Any) -> None:
    system.stack.sandbox.tenant(company, **tenant)
    code = system.stack.sandbox.code(company, scopes=scopes)
    system.publish(
        integration_json(
            company=company,
            event_id=event_id,
            authorization_code=code,
            error_email=f"ekonomi@{company}.example",
            expenses={"enabled": False},  # a poll would be held too
        )
    )
    assert system.settled(company, event_id).status == "done"


def counted(system: System, company: str, status: str, number: int) -> None:
    wait_until(
        lambda: system.app.services.ordering.counts(company)[status] == number,
        what=f"{number} events of {company} to be {status}",
    )


def one_mail(system: System, company: str) -> dict[str, Any]:
    wait_until(lambda: system.mails_to(f"ekonomi@{company}.example"), what="the mail")
    (mail,) = system.mails_to(f"ekonomi@{company}.example")
    return mail


def told(system: System, company: str, situation: str) -> None:
    """One mail holds the situation's sentence; the check on connecting may have said more."""

    def mails() -> list[str]:
        texts = (" ".join(mail["text"].split()) for mail in system.mails_to(f"ekonomi@{company}.example"))
        return [text for text in texts if say(explanation(situation).reason, "sv") in text]

    assert len(wait_until(mails, what=f"the mail about {situation}")) == 1


def asked(system: System, company: str, part: str) -> int:
    return sum(f"/3/{part}" in one for one in system.stack.sandbox.requests(company))


def test_without_a_licence_for_customers_only_they_wait_and_one_mail_says_so(system: System) -> None:
    connect(system, "nolicence", unlicensed_scopes=["customer"])
    customers = [customer_json(company="nolicence", event_id=f"c{n}", customer_number=str(n)) for n in range(40)]
    system.publish(*customers)
    counted(system, "nolicence", "held", 40)  # each was tried, so the next does not supersede the first
    system.publish(
        customer_json(company="nolicence", event_id="newer", customer_number="0", name="Nyare namn"),
        invoice_json(company="nolicence", event_id="i", attachments=[], customer={"id": 1, "customerNumber": "7"}),
        project_json(company="nolicence"),
    )
    counted(system, "nolicence", "held", 40)
    assert system.settled("nolicence", "e2").status == "done"  # the project
    assert asked(system, "nolicence", "customers") <= 8  # what was under way when the first was refused
    mail = one_mail(system, "nolicence")
    assert say(explanation("licence").reason, "sv") in " ".join(mail["text"].split())

    before = asked(system, "nolicence", "customers")
    system.app.send_task(PROBE.name)  # still closed: it asks once, and tells nobody
    wait_until(lambda: asked(system, "nolicence", "customers") == before + 1, what="the probe")
    counted(system, "nolicence", "held", 40)

    system.stack.sandbox.tenant("nolicence", unlicensed_scopes=[])
    system.app.send_task(PROBE.name)
    counted(system, "nolicence", "done", 44)
    ledger = system.ledger("nolicence")
    assert {one["CustomerNumber"] for one in ledger["customers"]} == {str(n) for n in range(40)}
    assert [one["Name"] for one in ledger["customers"] if one["CustomerNumber"] == "0"] == ["Nyare namn"]
    assert [one["Booked"] for one in ledger["invoices"]] == [True]
    assert system.app.services.redis.hgetall("mf:closed") == {}
    assert len(system.mails_to("ekonomi@nolicence.example")) == 1


def test_without_the_scope_for_files_invoices_are_posted_and_their_files_follow_after_reconnecting(
    system: System,
) -> None:
    scopes = "customer project invoice companyinformation settings bookkeeping currency connectfile"
    connect(system, "nofiles", scopes=scopes)
    system.publish(
        customer_json(company="nofiles"),
        project_json(company="nofiles"),
        *(
            invoice_json(company="nofiles", event_id=f"i{n}", invoice_number=n, attachments=files)
            for n, files in ((1, [A_FILE]), (2, [A_FILE]), (3, []))
        ),
    )
    counted(system, "nofiles", "held", 2)
    assert system.settled("nofiles", "i3").status == "done"
    assert [one["Booked"] for one in system.ledger("nofiles")["invoices"]] == [True] * 3
    told(system, "nofiles", "scope")

    connect(system, "nofiles", event_id="again")
    counted(system, "nofiles", "done", 7)
    invoices = sorted(system.ledger("nofiles")["invoices"], key=lambda one: int(one["DocumentNumber"]))
    assert [(one["DocumentNumber"], len(one["attachments"])) for one in invoices] == [("1", 1), ("2", 1), ("3", 0)]
    assert [one["writes"] for one in invoices] == [{"POST": 1, "bookkeep": 1}] * 3


def test_without_a_licence_for_integrations_everything_waits_until_somebody_retries_one(system: System) -> None:
    connect(system, "noapi")
    system.stack.sandbox.tenant("noapi", api_licence=False)
    system.publish(
        customer_json(company="noapi"), project_json(company="noapi"), invoice_json(company="noapi", attachments=[])
    )
    counted(system, "noapi", "held", 2)
    assert say(system.settled("noapi", "e1").reason) == (
        "The company has no licence for integrations in Fortnox, so nothing can be transferred."
    )
    assert one_mail(system, "noapi")
    system.stack.sandbox.tenant("noapi", api_licence=True)
    retried = system.run("events", "retry", "noapi", "e2")
    assert (retried.returncode, "waits for the same part" in retried.stdout) == (0, True)
    counted(system, "noapi", "held", 0)
    assert system.settled("noapi", "e1").status == "done"
    assert system.settled("noapi", "e2").status == "done"
    assert len(system.mails_to("ekonomi@noapi.example")) == 1
