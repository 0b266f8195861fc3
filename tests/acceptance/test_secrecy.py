"""What operators get to see, from real processes: logs, Sentry, metrics and Flower tell what happened, with ids.
They hold no name, address, organisation number or token of those that it happened to.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import generate_latest

from local.stack import Stack
from tasks.flows import REPORT, TICK
from tests.acceptance.conftest import System
from tests.acceptance.test_delivery import DOCTORED
from tests.monitors import wait_for_flower
from tests.sentry import FakeSentry, running_sentry
from tests.unit.factories import customer_json, integration_json, invoice_json
from tests.waiting import wait_until
from worker.bootstrap import create_app
from worker.metrics import registry

NAME, EMAIL, NUMBER = "Hemliga Snickerier AB", "karin.persson@snickerier.example", "556016-0680"
STREET, REFERENCE, CONTACT = "Smala Gränd 7", "Karin Persson", "ekonom@hemliga.example"
PASSPHRASE = "operators-only"


class Watched(System):
    """A system whose every output is kept."""

    sentry: FakeSentry
    flower: str
    codes: list[str]

    def log_lines(self) -> list[dict[str, Any]]:
        lines = (self.stack.logs / "worker.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str, event_id: str) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line["event"] == event and line.get("event_id") == event_id]

    def flower_tasks(self) -> dict[str, dict[str, Any]]:
        answer = requests.get(f"{self.flower}/api/tasks", auth=("operator", PASSPHRASE), timeout=30)
        tasks: dict[str, dict[str, Any]] = answer.json()
        return tasks


def customer(event_id: str, **overrides: Any) -> dict[str, Any]:
    address = {"address1": STREET, "address2": None, "zipCode": "211 42", "city": "Malmö", "countryCode": "SE"}
    given = {"name": NAME, "email": EMAIL, "organization_number": NUMBER, "address": address} | overrides
    return customer_json(event_id=event_id, **given)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """With one event of each fate behind it."""
    with running_sentry() as sentry, Stack(Path(tmp_path_factory.mktemp("secrecy")), feed=True) as stack:
        stack.start_services()
        stack.environment |= {
            "SENTRY_DSN": sentry.dsn,
            "SENTRY_ENVIRONMENT": "test",
            "LOG_FORMAT": "json",
            "PYTHONPATH": str(DOCTORED),
            "BUG": NAME,
        }
        stack.start_worker()
        system = Watched(stack, create_app(stack.settings))
        system.sentry = sentry
        system.flower, _ = stack.start_flower(login=f"operator:{PASSPHRASE}")
        wait_for_flower(system.flower, f"operator:{PASSPHRASE}")
        system.codes = live_through(system)
        yield system


def live_through(system: Watched) -> list[str]:
    """One event of each fate. Returns the one-time codes used."""
    codes = []
    for company in ("hush", "hush2"):
        system.stack.sandbox.tenant(company)
        codes.append(system.stack.sandbox.code(company))
        enabled = integration_json(event_id="on", company=company, authorization_code=codes[-1], error_email=CONTACT)
        system.app.send_task("events.receive", args=[enabled], queue="events")
        assert system.settled(company, "on").status == "done"
        system.app.send_task("events.receive", args=[customer("bug", company=company)], queue="events")
        assert system.settled(company, "bug").status == "failed"
    through = customer("through", company="hush", name=f"{NAME} 2", customer_number="2")
    refused = invoice_json(
        event_id="refused", company="hush", customer={"id": 1, "customerNumber": "999"}, project=None
    )
    refused["invoice"]["theirReference"] = REFERENCE
    broken = customer("broken", company="hush") | {"occurredAt": f"{NAME} {EMAIL}"}
    for event in (through, refused, broken):
        system.app.send_task("events.receive", args=[event], queue="events")
    assert system.settled("hush", "through").status == "done"
    assert system.settled("hush", "refused").status in ("failed", "held")
    assert system.settled("hush", "broken").status == "failed"
    system.app.send_task("events.recieve", args=[customer("typo", company="hush")], queue="events")  # as misspelt
    system.app.send_task(TICK.name)
    system.app.send_task(REPORT.name)  # nobody asks for a mail at once about what waits
    wait_until(lambda: system.mails_to(CONTACT), what="the mail")
    return codes


def test_sentry_gets_the_bug_and_nothing_that_an_accountant_mends(watched: Watched) -> None:
    wait_until(lambda: len(watched.sentry.events) >= 2, what="the reports")
    events = watched.sentry.events
    assert [event["exception"]["values"][-1]["type"] for event in events] == ["KeyError", "KeyError"]
    assert {event["tags"]["company"] for event in events} == {"hush", "hush2"}
    assert {event["tags"]["key"] for event in events} == {"hush/customer/10001", "hush2/customer/10001"}
    assert {event["tags"]["type"] for event in events} == {"customer.updated"}
    assert {event["environment"] for event in events} == {"test"}
    assert all(event["release"].startswith("moment-fortnox@") for event in events)


def test_reports_of_one_cause_are_one_group(watched: Watched) -> None:
    wait_until(lambda: len(watched.sentry.events) >= 2, what="the reports")
    prints = [event["fingerprint"] for event in watched.sentry.events]
    assert prints[0] == prints[1]
    assert prints[0][0] == "KeyError"
    assert "deadly" in prints[0][1]


def test_beat_is_watched_by_a_check_in(watched: Watched) -> None:
    wait_until(lambda: watched.sentry.check_ins, what="the check-in")
    first = watched.sentry.check_ins[0]
    assert (first["monitor_slug"], first["status"]) == ("moment-fortnox-beat", "ok")
    assert first["monitor_config"]["schedule"] == {"type": "interval", "value": 1, "unit": "minute"}


def test_an_event_has_the_same_id_in_the_log_from_its_door_to_fortnox(watched: Watched) -> None:
    accepted = watched.logged("event.accepted", "through")
    assert [line["company"] for line in accepted] == ["hush"]
    asked = watched.logged("fortnox.request", "through")
    assert asked
    assert {line["key"] for line in asked} == {"hush/customer/2"}
    assert all("{number}" in line["path"] or line["path"] == "/3/customers" for line in asked)
    assert [line["outcome"] for line in watched.logged("transfer.settled", "through")] == ["done"]
    assert [line["error_code"] for line in watched.logged("transfer.settled", "bug")] == ["bug", "bug"]
    assert watched.logged("event.refused", "broken")


def test_a_misspelt_task_is_named_in_the_log(watched: Watched) -> None:
    def told() -> bool:
        set_aside = [line for line in watched.log_lines() if line["event"] == "message.set_aside"]
        return "events.recieve" in [line["task"] for line in set_aside]

    wait_until(told, what="the line")


def test_the_bug_is_told_whole_where_the_event_is_kept(watched: Watched) -> None:
    def errors() -> list[dict[str, Any]]:
        told = json.loads(watched.run("events", "show", "hush", "bug", "--json").stdout)
        return [entry for entry in told["timeline"] if entry["what"] == "error"]

    (error,) = wait_until(errors, what="the timeline to be written")
    assert error["error"] == "KeyError"
    assert NAME in error["message"]


def test_flower_shows_whose_transfer_it_is_and_no_payload(watched: Watched) -> None:
    def shown() -> set[tuple[str, str]]:
        return {(task["name"], task["args"]) for task in watched.flower_tasks().values()}

    wait_until(lambda: ("transfer.customer", "(hush customer 2)") in shown(), what="Flower to show the transfer")
    assert {args for name, args in shown() if name == "events.receive"} == {"(an event)"}


def test_no_output_holds_what_is_somebodys(watched: Watched) -> None:
    wait_until(lambda: len(watched.sentry.events) >= 2, what="the reports")
    tokens = [watched.app.services.fortnox.tokens.access_token(company) for company in ("hush", "hush2")]
    secrets = [*tokens, *watched.codes, watched.stack.environment["FORTNOX_CLIENT_SECRET"]]
    secrets += [watched.stack.environment["ENCRYPTION_KEYS"]]
    told = {
        "logs": "".join(path.read_text(encoding="utf-8") for path in watched.stack.logs.glob("worker*.log")),
        "sentry": "".join(watched.sentry.raw),
        "metrics": generate_latest(registry(watched.app.services)).decode(),
        "flower": json.dumps(watched.flower_tasks(), ensure_ascii=False),
    }
    for where, text in told.items():
        assert len(text) > 500, where
        plain = text.encode().decode("unicode_escape", errors="replace") + text  # escaped or not
        held = [one for one in (NAME, EMAIL, NUMBER, STREET, REFERENCE, CONTACT, *secrets) if one in plain]
        assert held == [], where
