"""Supplier invoices come back as expenses, through real processes: a worker, beat and the stand-ins."""

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from delivery.polling import POLL_ID
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit import factories
from tests.waiting import wait_until
from worker.bootstrap import create_app

ROW = {"Account": 4010, "Debit": "1000.00", "Project": "1", "ItemDescription": "Reglar"}


def follow(system: System, company: str, **chosen: Any) -> None:
    """A company that has its expenses brought back, with project 1 on both sides."""
    system.connect(company, expenses={"enabled": True, "accountNumbers": ["4010"], **chosen})
    with_project(system, company, "1")


def with_project(system: System, company: str, number: str) -> None:
    system.stack.sandbox.moment_project(company, number)
    system.stack.sandbox.post("projects", {"tenant": company, "number": number, "StartDate": "2026-01-01"})


def expense(system: System, company: str, external_id: str, **fields: Any) -> dict[str, Any]:
    """The expense, once it is in Moment with these fields."""

    def look() -> dict[str, Any] | None:
        found = system.stack.sandbox.expenses(company).get(external_id)
        return found if found and all(found[name] == value for name, value in fields.items()) else None

    found = wait_until(look, what=f"{external_id} of {company} in Moment", interval=0.1)
    assert found is not None
    return found


def test_a_posted_supplier_invoice_becomes_an_expense_by_itself(system: System) -> None:
    follow(system, "light")
    number = system.stack.sandbox.supplier_invoice("light", ROW, vat="250.00")

    found = expense(system, "light", f"fortnox:{number}:3")

    assert Decimal(found["amountExcludingVat"]) == Decimal("1000.00")
    assert {name: found[name] for name in ("projectNumber", "date", "description", "supplierName")} == {
        "projectNumber": "1",
        "date": "2026-11-02",
        "description": "Reglar",
        "supplierName": "Virke AB",
    }
    assert (found["accountNumber"], found["currencyCode"], found["billable"]) == ("4010", "SEK", True)
    assert found["writes"] == {"POST": 1, "PUT": 0}


def test_a_correction_and_a_cancellation_are_followed(system: System) -> None:
    follow(system, "follows")
    sandbox = system.stack.sandbox
    number = sandbox.supplier_invoice("follows", ROW)
    name = f"fortnox:{number}:2"
    expense(system, "follows", name)
    sandbox.supplier_invoice("follows", {**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})
    expense(system, "follows", name, amountExcludingVat="1200.00")
    sandbox.post(f"supplierinvoices/{number}/cancel", {"tenant": "follows"})
    wait_until(lambda: not sandbox.expenses("follows"), what="the expense to be withdrawn")
    assert system.app.services.ordering.counts("follows")["failed"] == 0
    assert system.ended("follows") == 1  # polls are not counted, only that the integration was enabled


def test_a_refused_expense_is_mailed_once_and_goes_through_when_a_person_retries_it(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "unwanted")
    system.in_english("unwanted")
    refusal = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "The period is closed", "count": 50}
    sandbox.in_moment("POST", "faults", {**refusal, "tenant": "unwanted", "method": "POST"})
    number = sandbox.supplier_invoice("unwanted", ROW)

    (mail,) = wait_until(lambda: system.mails_to("ekonomi@unwanted.example"), what="the mail", interval=0.2)
    assert f"supplier invoice {number} (Virke AB F-7)" in mail["subject"]
    assert "The period is closed" in " ".join(mail["text"].split())
    assert "1,000.00 SEK on account 4010, project 1" in " ".join(mail["text"].split())
    (failed,) = system.app.services.ordering.failed("unwanted")
    assert system.run("expenses", "explain", "unwanted", number).stdout.count(failed.id) == 1

    sandbox.in_moment("DELETE", "faults")
    assert system.run("events", "retry", "unwanted", failed.id).returncode == 0
    expense(system, "unwanted", f"fortnox:{number}:2")
    assert system.settled("unwanted", failed.id).status in ("done", "skipped")
    assert len(system.mails_to("ekonomi@unwanted.example")) == 1


def test_an_invoiced_expense_that_changes_is_told_and_left_as_it_is(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "invoiced")
    system.in_english("invoiced")
    number = sandbox.supplier_invoice("invoiced", ROW)
    name = f"fortnox:{number}:2"
    expense(system, "invoiced", name)
    sandbox.in_moment("POST", "expenses", {"company": "invoiced", "externalId": name, "invoiced": True})
    sandbox.supplier_invoice("invoiced", {**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})

    (mail,) = wait_until(lambda: system.mails_to("ekonomi@invoiced.example"), what="the mail", interval=0.2)

    assert "1,000.00 SEK" in mail["text"]
    assert "1,200.00 SEK" in mail["text"]
    assert sandbox.expenses("invoiced")[name]["writes"] == {"POST": 1, "PUT": 0}
    by_hand = ("expenses", "import", "invoiced", "--days-back", "30", "--timeout", "120")
    assert system.run(*by_hand).returncode == 1
    (failed,) = system.app.services.ordering.failed("invoiced")
    assert system.run("events", "skip", "invoiced", failed.id, "--reason", "settled").returncode == 0
    done = system.run(*by_hand)
    assert done.returncode == 0, done.stdout


def test_another_ledger_gets_ids_of_its_own_and_the_former_ones_expenses_stay(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "resettled")
    number = sandbox.supplier_invoice("resettled", ROW)
    expense(system, "resettled", f"fortnox:{number}:2")
    sandbox.tenant("moved-to")
    sandbox.post("projects", {"tenant": "moved-to", "number": "1", "StartDate": "2026-01-01"})
    assert sandbox.supplier_invoice("moved-to", {**ROW, "Debit": "77.00"}) == number
    code = sandbox.code("moved-to")
    chosen = {"enabled": True, "accountNumbers": ["4010"]}
    system.publish(
        factories.integration_json(company="resettled", event_id="again", authorization_code=code, expenses=chosen)
    )
    assert system.settled("resettled", "again").status == "done"
    tenant_id = system.app.services.stores.connections.get("resettled").tenant_id

    found = expense(system, "resettled", f"fortnox:{tenant_id}:{number}:2", amountExcludingVat="77.00")

    assert found["writes"] == {"POST": 1, "PUT": 0}
    first = sandbox.expenses("resettled")[f"fortnox:{number}:2"]
    assert (first["amountExcludingVat"], first["writes"]) == ("1000.00", {"POST": 1, "PUT": 0})


def test_a_company_that_is_disabled_or_switched_off_costs_nothing(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "leaving")
    expense(system, "leaving", f"fortnox:{sandbox.supplier_invoice('leaving', ROW)}:2")
    system.publish(factories.integration_json(company="leaving", event_id="off", type="integration.disabled"))
    assert system.settled("leaving", "off").status == "done"
    services = system.app.services
    wait_until(lambda: services.ordering.event("leaving", POLL_ID) is None, what="the last poll to end")
    asked = len(sandbox.requests("leaving"))
    follow(system, "staying")
    for _ in range(3):  # three more polls of another company
        before = services.stores.expenses("staying").summary()["lastPoll"]
        wait_until(
            lambda before=before: services.stores.expenses("staying").summary()["lastPoll"] != before,  # type: ignore[misc]
            what="a poll",
        )  # fmt: skip
    assert len(sandbox.requests("leaving")) == asked
    assert services.polling.polls.next("leaving") is None
    assert "switched off" in system.run("expenses", "import", "leaving", "--days-back", "3").stderr


def test_an_import_by_hand_shows_what_it_did(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "byhand")
    number = sandbox.supplier_invoice("byhand", {**ROW, "Project": "8"}, ROW)
    expense(system, "byhand", f"fortnox:{number}:3")
    with_project(system, "byhand", "8")

    done = system.run("expenses", "import", "byhand", "--days-back", "30", "--json", "--timeout", "120")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["looked"] >= 1
    assert told["left"] == 0
    expense(system, "byhand", f"fortnox:{number}:2")
    explained = json.loads(system.run("expenses", "explain", "byhand", number, "--json").stdout)
    assert [row["state"] for row in explained["rows"]] == ["not sent", "sent", "sent"]
    assert explained["rows"][0]["reason"] == "The row is the amount owed to the supplier."
    (standing,) = [
        json.loads(line) for line in system.run("expenses", "status", "byhand", "--json").stdout.splitlines()
    ]
    assert standing["supplierInvoicesSent"] == 1
    assert standing["nextPoll"] is not None


def test_an_unknown_supplier_invoice_or_company_is_named(system: System) -> None:
    follow(system, "asked")
    unknown = system.run("expenses", "explain", "asked", "4711")
    assert (unknown.returncode, "4711" in unknown.stderr) == (1, True)
    nobody = system.run("expenses", "explain", "nobody-at-all", "1")
    assert (nobody.returncode, "no such company" in nobody.stderr) == (2, True)
    unknown = system.run("expenses", "status", "nobody-at-all")
    assert (unknown.returncode, "nobody-at-all" in unknown.stderr) == (2, True)


def test_an_import_that_waits_says_why(system: System) -> None:
    follow(system, "waiting")
    system.stack.sandbox.post("grants/revoke", {"tenant": "waiting"})
    wait_until(lambda: system.app.services.ordering.paused("waiting"), what="a poll to notice it")
    found = system.run("expenses", "import", "waiting", "--days-back", "3", "--timeout", "1")
    assert found.returncode == 1
    assert "waiting is paused: The connection to Fortnox has ended" in " ".join(found.stderr.split())


def test_an_expense_whose_row_is_gone_is_explained(system: System) -> None:
    sandbox = system.stack.sandbox
    follow(system, "rowless")
    number = sandbox.supplier_invoice("rowless", ROW, ROW)
    expense(system, "rowless", f"fortnox:{number}:3")
    away = {"kind": "fail_next", "status": 503, "count": 1000}  # so that nothing is withdrawn yet
    sandbox.in_moment("POST", "faults", {**away, "tenant": "rowless", "method": "DELETE"})
    sandbox.supplier_invoice("rowless", ROW, invoice={"GivenNumber": number})
    assert "expense of row 3, which is gone" in system.run("expenses", "explain", "rowless", number).stdout
    sandbox.in_moment("DELETE", "faults")


def test_polls_go_on_when_the_live_beat_of_two_is_killed_and_then_the_worker(tmp_path: Path) -> None:
    options = {
        "EXPENSE_POLL_INTERVAL": "1",
        "BEAT_LOCK_SECONDS": "3",
        "LEASE_SECONDS": "2",
        "FORTNOX_RATE_LIMIT": "999/1",
    }
    with Stack(tmp_path, options=options) as stack:
        stack.start_services()
        stack.sandbox.post("options", {"rate_limit_enabled": False})
        live = stack.start_beat("beat-one")
        worker = stack.start_worker(concurrency=1)
        system = System(stack, create_app(stack.settings))
        follow(system, "beaten")
        expense(system, "beaten", f"fortnox:{stack.sandbox.supplier_invoice('beaten', ROW)}:2")
        other = stack.start_beat("beat-two")
        wait_until(lambda: "is starting" in other.log_tail(), what="the second beat to start")

        live.kill()

        killed = time.monotonic()
        expense(system, "beaten", f"fortnox:{stack.sandbox.supplier_invoice('beaten', ROW)}:2")
        assert time.monotonic() - killed < 60
        other.check()

        stack.sandbox.supplier_invoice("beaten", ROW, copies=99)
        wait_until(lambda: len(stack.sandbox.expenses("beaten")) > 5, what="some of a hundred")
        worker.kill()
        stack.start_worker("worker-two", concurrency=1)
        wait_until(lambda: len(stack.sandbox.expenses("beaten")) == 102, what="the others")
        assert all(one["writes"] == {"POST": 1, "PUT": 0} for one in stack.sandbox.expenses("beaten").values())
