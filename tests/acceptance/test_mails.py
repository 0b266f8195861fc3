"""Mails by real workers and beat, through a real SMTP server."""

from tests.acceptance.conftest import System
from tests.unit.factories import a_line, customer_json, integration_json, invoice_json, project_json
from tests.waiting import wait_until


def test_a_mail_that_was_put_off_arrives_once_and_held_up_no_other_company(
    system: System,
) -> None:
    for company in ("patient", "prompt"):
        system.connect(company)
        system.publish(customer_json(company=company), project_json(company=company))
    system.stack.sandbox.post("smtp", {"refuse": "450", "recipient": "ekonomi@patient.example"})
    try:
        for company in ("patient", "prompt"):
            event = invoice_json(company=company, attachments=[], lines=[a_line(account_number="3599")])
            system.publish(event)
            assert system.settled(company, "e3").status == "failed"
        wait_until(lambda: system.mails_to("ekonomi@prompt.example"), what="the other company's mail")
        assert system.mails_to("ekonomi@patient.example") == []
    finally:
        system.stack.sandbox.refuse_mail(None)
    wait_until(lambda: system.mails_to("ekonomi@patient.example"), what="the mail that was put off")

    def left() -> list[str]:
        return [topic for topic in system.app.services.redis.zrange("mf:mail:due", 0, -1) if "patient" in topic]  # type: ignore[union-attr]

    wait_until(lambda: not left(), what="nothing to be left to tell")
    (mail,) = system.mails_to("ekonomi@patient.example")
    assert mail["subject"] == "Fortnox: faktura 1001 till Skånska Bygg AB kunde inte överföras"
    for form in (mail["text"], mail["html"]):
        assert "3599" in form  # Fortnox's own message names the account
        assert "12 500,00 kr" in form


def test_a_company_with_a_dead_grant_is_told_and_told_again_when_it_is_connected(system: System) -> None:
    system.connect("lapsed")
    system.stack.sandbox.post("grants/revoke", {"tenant": "lapsed"})
    system.publish(customer_json(company="lapsed"))
    (told,) = wait_until(lambda: system.mails_to("ekonomi@lapsed.example"), what="the mail")
    assert told["subject"] == "Fortnox: åtgärd krävs för kopplingen"
    code = system.stack.sandbox.code("lapsed")
    address = "ekonomi@lapsed.example"
    system.publish(integration_json(event_id="again", company="lapsed", authorization_code=code, error_email=address))
    wait_until(lambda: len(system.mails_to("ekonomi@lapsed.example")) == 2, what="the good news")
    assert "är igång igen" in system.mails_to("ekonomi@lapsed.example")[1]["subject"]
    assert system.settled("lapsed", "e1").status == "done"
