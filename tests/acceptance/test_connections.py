"""The life of a connection through real processes: consent, checks, renewal, a dead grant, the end; who sees whom."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from delivery.tokens import to_tokens
from messages.catalogue import say
from moment.events import Integration
from stores import Connection
from tasks.flows import SCOPES
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json, integration_json, invoice_json, project_json
from tests.waiting import wait_until


def enable(system: System, company: str, event_id: str = "enabled", *, service: bool = False, **choices: Any) -> str:
    """Publishes a consent with its new code; returns the code."""
    code = system.stack.sandbox.code(
        company, service=choices.pop("consented_as_service", service), scopes=" ".join(SCOPES)
    )
    choices = {"error_email": f"ekonomi@{company}.example", "expenses": {"enabled": False}} | choices
    system.publish(
        integration_json(
            event_id=event_id, company=company, authorization_code=code, service_account=service, **choices
        )
    )
    return code


def connected(system: System, company: str, **choices: Any) -> Connection:
    system.stack.sandbox.tenant(company)
    enable(system, company, **choices)
    assert system.settled(company, "enabled").status == "done"
    return system.app.services.stores.connections.get(company)


def problems(system: System, company: str) -> str:
    return " ".join(say(one.what) for one in system.app.services.stores.connections.get(company).problems)


def refresh_tokens(system: System, company: str) -> list[dict[str, Any]]:
    return list(system.stack.sandbox.get("tokens/refresh", tenant=company)["tokens"])


def expire(system: System, company: str) -> None:
    system.stack.sandbox.post("tokens/expire", {"tenant": company})


# --- The life ---


def test_a_connection_lives_from_its_code_to_its_end_and_needs_a_new_code_then(system: System) -> None:
    code = enable_first(system, "lives")
    connection = system.app.services.stores.connections.get("lives")
    assert (connection.state, connection.ledger, connection.problems) == ("connected", "Livs AB (556000-0001)", ())
    system.publish(customer_json(company="lives"))
    assert system.settled("lives", "e1").status == "done"
    system.publish(integration_json(event_id="disabled", company="lives", type="integration.disabled"))
    assert system.settled("lives", "disabled").status == "done"
    assert system.app.services.stores.connections.held("lives") is None
    assert not any(token["usable"] for token in refresh_tokens(system, "lives"))
    system.publish(customer_json(company="lives", event_id="while-off"))
    assert system.settled("lives", "while-off").status == "skipped"
    system.publish(integration_json(event_id="used", company="lives", authorization_code=code))
    again = system.settled("lives", "used")
    assert again.status == "failed"
    assert "was used already" in say(again.reason)
    assert "new code" in say(again.remedy)
    enable(system, "lives", "anew")
    assert system.settled("lives", "anew").status == "done"
    system.publish(customer_json(company="lives", event_id="on-again", name="Ny AB"))
    assert system.settled("lives", "on-again").status == "done"


def enable_first(system: System, company: str) -> str:
    system.stack.sandbox.tenant(company, company_name="Livs AB")
    code = enable(system, company)
    assert system.settled(company, "enabled").status == "done"
    return code


def test_a_second_use_of_a_code_says_so_and_stops_nothing(system: System) -> None:
    code = enable_first(system, "usedtwice")
    system.publish(integration_json(event_id="second", company="usedtwice", authorization_code=code))
    second = system.settled("usedtwice", "second")
    assert second.status == "skipped"
    assert "used already" in say(second.reason)
    assert "stands" in say(second.reason)
    system.publish(customer_json(company="usedtwice"))
    assert system.settled("usedtwice", "e1").status == "done"


def test_a_kill_after_the_tokens_were_stored_costs_no_new_code(system: System) -> None:
    """What a killed worker leaves: the tokens are stored, that the step was taken is not recorded."""
    system.stack.sandbox.tenant("killed")
    connections, oauth = system.app.services.stores.connections, system.app.services.fortnox.oauth
    code = system.stack.sandbox.code("killed", service=False)
    grant = oauth.exchange_code(code)
    left = Connection(
        company="killed",
        state="connected",
        tenant_id=grant.tenant_id,
        integration=Integration(error_email="ekonomi@killed.example"),
        connected_at=datetime.now(UTC),
        enabled_by="enabled",
        code_digest=hashlib.sha256(code.encode()).hexdigest()[:16],
    )
    connections.begin(left, to_tokens(grant))
    given = integration_json(event_id="enabled", company="killed", authorization_code=code, service_account=False)
    system.publish(given, customer_json(company="killed"))
    assert system.settled("killed", "enabled").status == "done"
    assert system.settled("killed", "e1").status == "done"


def test_disabling_what_was_never_enabled_is_no_failure(system: System) -> None:
    system.publish(integration_json(event_id="off", company="stranger", type="integration.disabled"))
    assert system.settled("stranger", "off").status == "skipped"


def test_a_service_account_goes_without_refresh_token(system: System) -> None:
    connected(system, "service", service=True)
    held = system.app.services.stores.connections.held("service")
    assert held is not None
    assert held.tokens.refresh_token is None
    expire(system, "service")
    system.publish(customer_json(company="service"))
    assert system.settled("service", "e1").status == "done"
    assert [token["shown"] for token in refresh_tokens(system, "service")] == [0]


def test_a_consent_that_is_no_service_accounts_still_works_and_says_so(system: System) -> None:
    connected(system, "mistaken", service=True, consented_as_service=False)
    assert "not a service account's" in problems(system, "mistaken")
    expire(system, "mistaken")
    system.publish(customer_json(company="mistaken"))
    assert system.settled("mistaken", "e1").status == "done"


def test_an_update_changes_what_is_transferred(system: System) -> None:
    off = {"customers": True, "projects": False, "invoices": False}
    connected(system, "chosen", transfers=off)
    system.publish(
        customer_json(company="chosen"),
        project_json(company="chosen"),
        invoice_json(company="chosen", attachments=[]),
    )
    assert [system.settled("chosen", one).status for one in ("e1", "e2", "e3")] == ["done", "skipped", "skipped"]
    assert "switched off" in say(system.settled("chosen", "e3").reason)
    update = integration_json(event_id="update", company="chosen", type="integration.updated", authorization_code=None)
    system.publish(update)
    assert system.settled("chosen", "update").status == "done"
    system.publish(
        project_json(company="chosen", event_id="p"), invoice_json(company="chosen", event_id="i", attachments=[])
    )
    assert [system.settled("chosen", one).status for one in ("p", "i")] == ["done", "done"]


# --- What is looked at on connect ---


def test_everything_that_is_wrong_is_told_together_and_kept_with_the_connection(system: System) -> None:
    system.stack.sandbox.tenant("wrong", accounting_method="CASH", project_module=False)
    system.stack.sandbox.account("wrong", 5010, active=False)
    system.stack.sandbox.account("wrong", 3010, vat_code="MP2")
    system.publish(invoice_json(company="wrong", event_id="earlier", attachments=[]))
    assert system.settled("wrong", "earlier").status == "failed"  # it came before the connection
    system.run("events", "retry", "wrong", "earlier")
    code = system.stack.sandbox.code("wrong", scopes="customer project invoice bookkeeping companyinformation")
    options = ("--service-account", "--error-email", "no address", "--expense-accounts", "4010,5010,9999,6000-6999")
    told = system.run("companies", "connect", "wrong", "--code", code, *options)
    assert told.returncode == 0, told.stderr
    for each in (
        "The accounting method in Fortnox is the cash method",
        "Projects cannot be read",
        "5010, 9999",
        "The consent lacks supplierinvoice",
        "The consent lacks inbox",
        "“no address” is not an address",
    ):
        assert each in told.stdout
    shown = json.loads(system.run("companies", "show", "wrong", "--json").stdout)
    assert len(shown["problems"]) == told.stdout.count("!")
    assert "4010" not in problems(system, "wrong")
    wait_until(
        lambda: any("cash method" in mail["text"] for mail in system.mails_to("drift@integration.example")),
        what="the mail to the operator, as the company's address is none",
    )


def test_where_nothing_can_work_the_connection_fails_until_it_is_mended(system: System) -> None:
    system.stack.sandbox.tenant("stuck", accounting_method="CASH")
    only = {"customers": False, "projects": False, "invoices": True}
    enable(system, "stuck", transfers=only)
    failed = system.settled("stuck", "enabled")
    assert failed.status == "failed"
    assert "cash method" in say(failed.reason)
    system.stack.sandbox.tenant("stuck", accounting_method="ACCRUAL")
    assert system.run("events", "retry", "stuck", "enabled").returncode == 0
    assert system.settled("stuck", "enabled").status == "done"
    assert problems(system, "stuck") == ""


def test_accounts_and_rates_of_recent_invoices_are_looked_at(system: System) -> None:
    connected(system, "recent")
    system.publish(
        customer_json(company="recent"),
        project_json(company="recent"),
        invoice_json(company="recent", attachments=[]),
    )
    assert system.settled("recent", "e3").status == "done"
    system.stack.sandbox.account("recent", 3010, active=False, vat_code="MP2")
    enable(system, "recent", "again")
    assert system.settled("recent", "again").status == "done"
    assert "not active in Fortnox: 3010" in problems(system, "recent")
    assert "3010 (25 %)" in problems(system, "recent")


# --- Renewal ---


def test_a_token_refused_in_mid_transfer_is_renewed_once_and_the_transfer_goes_on(system: System) -> None:
    connected(system, "refused")
    system.publish(customer_json(company="refused"), project_json(company="refused"))
    assert system.settled("refused", "e2").status == "done"
    system.stack.sandbox.fault(
        "fail_next", status=401, body="unauthorized", path="/3/invoices/1001/bookkeep", tenant="refused"
    )
    system.publish(invoice_json(company="refused", attachments=[]))
    assert system.settled("refused", "e3").status == "done"
    record = system.app.services.ordering.event("refused", "e3")
    assert record is not None
    assert record.attempts == 1
    assert [token["shown"] for token in refresh_tokens(system, "refused")] == [1, 0]


# --- The grant dies ---


def test_a_dead_grant_pauses_is_told_once_and_everything_drains_in_order_after_reconnecting(system: System) -> None:
    connected(system, "mortal")
    system.in_english("mortal")
    system.stack.sandbox.post("grants/revoke", {"tenant": "mortal"})
    system.publish(customer_json(company="mortal", event_id="c1", sequence=1))
    paused = system.app.services.ordering.paused
    wait_until(lambda: paused("mortal"), what="the company to pause")
    system.publish(
        customer_json(company="mortal", event_id="c2", sequence=2, name="Nyare AB"),
        project_json(company="mortal"),
        *(invoice_json(company="mortal", event_id=f"i{n}", invoice_number=n, attachments=[]) for n in (2001, 2002)),
    )
    mails = wait_until(
        lambda: [m for m in system.mails_to("ekonomi@mortal.example") if "connection" in m["subject"]],
        what="the mail",
    )
    assert mails is not None
    assert len(mails) == 1
    asked = len(system.stack.sandbox.requests("mortal"))
    enable(system, "mortal", "again")
    assert system.settled("mortal", "i2002").status == "done"
    assert {system.settled("mortal", one).status for one in ("c2", "e2", "i2001")} == {"done"}
    assert paused("mortal") is None
    written = [one for one in system.stack.sandbox.requests("mortal")[asked:] if one.startswith("POST /3/")]
    order = [written.index(f"POST /3/{kind}") for kind in ("customers", "invoices")]
    assert order == sorted(order)
    (customer,) = system.ledger("mortal")["customers"]
    assert customer["Name"] == "Nyare AB"
    counted = [m for m in system.mails_to("ekonomi@mortal.example") if "connection" in m["subject"]]
    assert len(counted) == 1


# --- First activation ---


def test_a_number_that_is_clearly_anothers_is_left_alone_until_a_person_takes_it_over(system: System) -> None:
    connected(system, "first")
    by_hand(system, "first", "customers", "Customer", {"CustomerNumber": "10001", "Name": "Andersson Måleri"})
    by_hand(system, "first", "projects", "Project", {"ProjectNumber": "1", "Description": "Ombyggnaden"})
    system.publish(customer_json(company="first"), project_json(company="first"))
    refused = system.settled("first", "e1")
    assert refused.status == "failed"
    assert "Andersson Måleri" in say(refused.reason)
    assert "Skånska Bygg AB (556677-8899)" in say(refused.reason)
    assert "--accept-existing" in say(refused.remedy)
    assert system.ledger("first")["customers"][0]["Name"] == "Andersson Måleri"
    assert system.settled("first", "e2").status == "done"  # the same by its name
    assert system.run("events", "retry", "--all-failed", "--accept-existing").returncode == 2
    assert system.run("events", "retry", "first", "e1").returncode == 0
    assert system.settled("first", "e1").status == "failed"
    assert system.run("events", "retry", "first", "e1", "--accept-existing").returncode == 0
    assert system.settled("first", "e1").status == "done"
    assert [one["Name"] for one in system.ledger("first")["customers"]] == ["Skånska Bygg AB"]


def by_hand(system: System, company: str, path: str, envelope: str, fields: dict[str, str]) -> None:
    """What an accountant entered before Moment was connected."""
    held = system.app.services.stores.connections.held(company)
    assert held is not None
    token = held.tokens.access_token.get_secret_value()
    answer = requests.post(
        f"{system.stack.sandbox.fortnox}/3/{path}",
        json={envelope: fields},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 201


def test_another_ledger_gets_what_the_one_before_had_already(system: System) -> None:
    connected(system, "moved")
    system.publish(customer_json(company="moved"))
    assert system.settled("moved", "e1").status == "done"
    system.stack.sandbox.tenant("moved-to")
    code = system.stack.sandbox.code("moved-to", service=False)
    given = integration_json(event_id="move", company="moved", authorization_code=code, service_account=False)
    system.publish(given, customer_json(company="moved", event_id="e1-again"))
    assert system.settled("moved", "e1-again").status == "done"
    assert [one["CustomerNumber"] for one in system.ledger("moved-to")["customers"]] == ["10001"]


# --- Isolation ---


@pytest.mark.parametrize("service", [True, False])
def test_no_request_of_one_company_ever_carries_the_others_token(system: System, service: bool) -> None:
    names = [f"{name}-{'s' if service else 'r'}" for name in ("ada", "bob")]
    for name in names:
        connected(system, name, service=service)
    events = []
    for n in range(10):  # below the rate limit, so that nothing waits
        events += [
            customer_json(company=name, event_id=f"c{n}", customer_number=f"{name}-{n}", name=f"Kund {name}")
            for name in names
        ]
        if n % 5 == 0:
            events.append(customer_json(company=names[0], event_id=f"x{n}", customer_number=f"{names[0]}-x{n}"))
    for n, event in enumerate(events):
        system.publish(event)
        if n % 5 == 0:
            expire(system, names[n // 5 % 2])
    counts = system.app.services.ordering.counts
    wait_until(lambda: [counts(name)["done"] for name in names] == [13, 11], what="all customers")
    for name, other in (names, names[::-1]):
        seen = json.dumps(system.stack.sandbox.get("requests", tenant=name, bodies="1"))
        assert f"{name}-0" in seen
        assert f"{other}-" not in seen
        assert all(one["Name"] != f"Kund {other}" for one in system.ledger(name)["customers"])
