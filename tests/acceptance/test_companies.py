"""`moment-fortnox companies`: from the consent to the end of a connection."""

import json
import re
from typing import Any

import requests

from tests.acceptance.conftest import System
from tests.unit.factories import customer_json


def test_a_company_is_connected_and_disconnected_by_hand(system: System) -> None:
    system.stack.sandbox.tenant("byhand")
    assert system.run("companies", "connect", "byhand").returncode == 2  # where would Fortnox send the code?
    environment = system.stack.environment | {"FORTNOX_REDIRECT_URI": "https://integration.example/callback"}
    asked = system.run("companies", "connect", "byhand", "--service-account", environment=environment)
    assert asked.returncode == 0
    address = re.search(r"http\S+/oauth-v1/auth\?\S+", asked.stdout)
    assert address is not None
    assert requests.get(address[0], timeout=30).ok  # Fortnox shows its consent page
    code = system.stack.sandbox.code("byhand")
    options = ("--service-account", "--error-email", "ekonomi@byhand.example", "--expense-accounts", "4010,5000-5999")
    connected = system.run("companies", "connect", "byhand", "--code", code, *options)
    assert connected.returncode == 0, connected.stderr
    shown = json.loads(system.run("companies", "show", "byhand", "--json").stdout)
    assert shown["state"] == "connected"
    assert shown["integration"]["expenses"]["accountNumbers"] == ["4010", "5000-5999"]
    assert code not in json.dumps(shown)
    again = system.run("companies", "connect", "byhand", "--code", code, *options)
    assert again.returncode == 1
    assert "used" in again.stderr or "code" in again.stderr
    ended = system.run("companies", "disconnect", "byhand")
    assert ended.returncode == 0
    assert "removed in Fortnox" in ended.stdout
    listed = [json.loads(line) for line in system.run("companies", "list", "--json").stdout.splitlines()]
    assert ("byhand", "disabled", "disabled") in [(one["company"], one["connection"], one["state"]) for one in listed]


def integration(system: System, company: str) -> dict[str, Any]:
    shown = json.loads(system.run("companies", "show", company, "--json").stdout)
    return dict(shown["integration"])


def test_a_company_that_connects_again_keeps_what_it_chose_and_is_given_the_code_by_hand(system: System) -> None:
    system.stack.sandbox.tenant("again")
    code = system.stack.sandbox.code("again")
    options = ("--service-account", "--error-email", "ekonomi@again.example", "--transfers", "customers,projects")
    expenses = ("--expense-accounts", "4010", "--not-billable", "--from-date", "2026-11-01")
    first = system.run("companies", "connect", "again", "--code", code, *options, *expenses)
    assert first.returncode == 0, first.stderr
    chosen = integration(system, "again")
    assert chosen["transfers"] == {"customers": True, "projects": True, "invoices": False}
    assert chosen["expenses"]["fromDate"] == "2026-11-01"
    environment = system.stack.environment | {"FORTNOX_REDIRECT_URI": "https://integration.example/callback"}
    asked = system.run("companies", "connect", "again", environment=environment)
    assert "account_type=service" in asked.stdout
    assert system.run("companies", "disconnect", "again").returncode == 0

    second = system.run("companies", "connect", "again", "--code", "-", stdin=f"{system.stack.sandbox.code('again')}\n")

    assert second.returncode == 0, second.stderr
    assert integration(system, "again") == chosen


def test_choices_change_without_a_new_code_and_nothing_but_what_is_given(system: System) -> None:
    system.connect("chooses", expenses={"accountNumbers": ["4010"], "billableByDefault": False})
    before = integration(system, "chooses")
    changed = system.run("companies", "connect", "chooses", "--error-email", "ny@chooses.example", "--no-expenses")
    assert changed.returncode == 0, changed.stderr
    after = integration(system, "chooses")
    assert after == before | {"errorEmail": "ny@chooses.example", "expenses": before["expenses"] | {"enabled": False}}
    every = system.run("companies", "connect", "chooses", "--expense-accounts", "")
    assert every.returncode == 0, every.stderr
    assert integration(system, "chooses")["expenses"] == before["expenses"] | {"accountNumbers": []}


def test_a_mistyped_code_leaves_the_connection_as_it_is_and_the_command_says_so(system: System) -> None:
    system.connect("mistypes")
    before = integration(system, "mistypes")
    wrong = system.run("companies", "connect", "mistypes", "--code", "mistyped", "--error-email", "ny@mistypes.example")
    assert wrong.returncode == 1
    assert "goes on as it was" in wrong.stderr
    assert integration(system, "mistypes") == before
    system.publish(customer_json(company="mistypes"))
    assert system.settled("mistypes", "e1").status == "done"


def test_a_company_has_settings_of_its_own(system: System) -> None:
    assert system.run("companies", "settings", "chooser", "language=en").returncode == 2  # nobody knows it
    system.publish(customer_json(company="chooser"))
    shown = json.loads(system.run("companies", "settings", "chooser", "--json").stdout)
    assert (shown["language"], shown["roundingAccount"]) == ("sv", "3740")
    changed = system.run("companies", "settings", "chooser", "language=en", "roundingAccount=3741", "--json")
    assert json.loads(changed.stdout) == shown | {"language": "en", "roundingAccount": "3741"}
    wrong = system.run("companies", "settings", "chooser", "roundingAccount=", "language=de")
    assert wrong.returncode == 2
    assert "language: 'de'" in wrong.stderr
    kept = json.loads(system.run("companies", "settings", "chooser", "--json").stdout)
    assert kept == json.loads(changed.stdout)  # all of it, or nothing
    back = json.loads(system.run("companies", "settings", "chooser", "language=", "--json").stdout)
    assert back == shown | {"roundingAccount": "3741"}
    unknown = system.run("companies", "settings", "chooser", "tongue=en")
    assert unknown.returncode == 2
    assert "there are language" in unknown.stderr


def test_wrong_usage_ends_with_status_two(system: System) -> None:
    assert system.run("companies", "connect", "x", "--code", "1").returncode == 2
    assert system.run("companies", "connect", "x", "--transfers", "orders").returncode == 2
    assert system.run("companies", "connect", "x", "--expense-accounts", "4010", "--no-expenses").returncode == 2
    assert system.run("publish", "/no/such/file").returncode == 2
    assert system.run("status", "--company", "never-seen").returncode == 2
    assert system.run("events", "retry").returncode == 2
    assert system.run("events", "list", "--status", "odd").returncode == 2
