"""`moment-fortnox companies`: from the consent to the end of a connection."""

import json
import re

import requests

from tests.acceptance.conftest import System


def test_a_company_is_connected_and_disconnected_by_hand(system: System) -> None:
    system.stack.sandbox.tenant("byhand")
    assert system.run("companies", "connect", "byhand").returncode == 2  # where would Fortnox send the code?
    environment = system.stack.environment | {"FORTNOX_REDIRECT_URI": "https://integration.example/callback"}
    asked = system.run("companies", "connect", "byhand", "--service-account", environment=environment)
    assert asked.returncode == 0
    address = re.search(r"http\S+/oauth-v1/auth\?\S+", asked.stdout)
    assert address is not None
    assert requests.get(address[0], timeout=5).ok  # Fortnox shows its consent page
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
    assert {"company": "byhand", "connection": "disabled"} in listed


def test_a_company_has_settings_of_its_own(system: System) -> None:
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
    assert system.run("publish", "/no/such/file").returncode == 2
    assert system.run("status", "--company", "never-seen").returncode == 2
    assert system.run("events", "retry").returncode == 2
    assert system.run("events", "list", "--status", "odd").returncode == 2
