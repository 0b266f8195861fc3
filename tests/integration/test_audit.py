"""The audit log: every command that acts leaves an entry of who did it, without a secret and without personal data."""

import json
import os
import pwd
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from cli.main import cli
from operations import audit
from operations import companies as company_operations
from operations.audit import Actor, ActorKind, acting
from operations.errors import WrongArgument
from stores.audit import LONGEST_OF_ALL, LONGEST_OF_COMPANY, AuditEntry
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json
from tests.unit.test_conventions import commands_of

USER = pwd.getpwuid(os.getuid()).pw_name
MAJA = Actor(ActorKind.ACCOUNT, "maja")

# What each command leaves. A command that is in neither of these two fails `test_it_is_known_of_every_command_…`.
ACTS = {
    "publish": "events.published",
    "events retry": "event.retried",
    "events skip": "event.skipped",
    "events show": "event.unmasked",
    "events damaged": "damaged.cleared",
    "companies connect": "consent.asked",
    "companies disconnect": "company.disconnected",
    "companies forget": "company.forgotten",
    "companies revoke-links": "links.revoked",
    "companies settings": "company.set",
    "expenses import": "expenses.imported",
    "keys rotate": "keys.rotated",
    "keys producer new": "producer-key.made",
    "keys producer revoke": "producer-key.revoked",
}
READS = {
    *("status", "wait", "health", "metrics", "failures", "audit", "events list", "events status", "events example"),
    *("events export", "companies list", "companies show", "expenses status", "expenses explain"),
    "keys producer list",
    "console account",  # prints a hash, and stores none
    "keys new",  # prints a random key, and stores none
    *("demo", "up", "sandbox"),  # on this machine alone
}


@pytest.fixture
def environment(unattended: Unattended, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(company_operations, "SETTLES_WITHIN", 0.0)  # no worker is there
    settings = unattended.app.settings
    return {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
        "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
        "FORTNOX_REDIRECT_URI": "https://ours.example/back",
        "USER": "mallory",  # the environment is not believed
        "LOGNAME": "mallory",
    }


def entries(environment: dict[str, str], *options: str) -> list[dict[str, Any]]:
    done = commands.run("audit", "--json", *options, environment=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def newest(environment: dict[str, str], *options: str) -> dict[str, Any]:
    return entries(environment, *options)[0]


def fail_invoice(world: Unattended, *event_ids: str) -> None:
    for number, event_id in enumerate(event_ids, 1001):
        event = invoice_json(event_id=event_id, number=number, project=None)
        event["invoice"]["lines"][0]["accountNumber"] = "9999"
        world.publish(event)
        world.run(event_id)


def test_it_is_known_of_every_command_whether_it_acts() -> None:
    named = set(commands_of(cli))
    assert set(ACTS) | READS == named
    assert set(ACTS) & READS == set()


def test_every_command_that_acts_is_in_the_log_with_the_user_of_the_machine(
    acme: Unattended, environment: dict[str, str], tmp_path: Path
) -> None:
    fail_invoice(acme, "i1")
    acme.publish(customer_json(event_id="c1", customer_number="77"))
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(customer_json(event_id="c2", company="gone")))
    acme.services.redis.zadd("mf:damaged", {"acme/lost": 1})
    given: dict[str, tuple[str, ...]] = {
        "publish": (str(file),),
        "events retry": ("acme", "i1"),
        "events skip": ("acme", "i1", "--reason", "Anna ringde"),
        "events show": ("acme", "c1", "--body", "--unmasked"),
        "events damaged": ("--clear",),
        "companies connect": ("acme", "--service-account"),
        "companies revoke-links": ("acme",),
        "companies settings": ("acme", "language=en"),
        "expenses import": ("acme", "--days-back", "3", "--timeout", "0"),
        "companies disconnect": ("acme", "--yes"),
        "companies forget": ("gone", "--yes", "--output", str(tmp_path / "gone.jsonl")),
        "keys rotate": (),
        "keys producer new": ("erp", "--company", "acme"),
        "keys producer revoke": ("erp",),
    }
    assert set(given) == set(ACTS)
    acme.connect(event_id="e5", expenses={"enabled": True})
    for command, arguments in given.items():
        if command == "companies forget":
            commands.run("events", "skip", "gone", "c2", environment=environment)
        commands.run(*command.split(), *arguments, environment=environment)
        found = newest(environment)
        assert (found["action"], found["kind"], found["name"]) == (ACTS[command], "command line", USER), command
        assert found["outcome"] == ("refused" if command == "companies disconnect" else "done"), command
    written = str(acme.services.redis.xrange("mf:audit")) + str(acme.services.redis.xrange("mf:audit:acme"))
    assert [word for word in ("Anna", "Skånska", "faktura@", "mallory", "ekonomi@") if word in written] == []
    assert newest(environment, "--company", "acme")["action"] == "producer-key.revoked"
    shown = commands.run("audit", environment=environment).stdout
    assert f"acme\t{USER}, command line\tsettings changed: language sv → en\tdone\n" in shown
    assert "audit." not in shown


def test_a_connect_leaves_its_outcome_and_not_its_code(acme: Unattended, environment: dict[str, str]) -> None:
    code = acme.sandbox.code("acme", service=True)
    connect = ("companies", "connect", "acme", "--code", "-", "--error-email", "anna@acme.example")
    done = commands.run(*connect, stdin=f"{code}\n", environment=environment)
    assert (done.returncode, "no worker" in done.stderr.casefold()) == (1, True)
    found = newest(environment)
    assert (found["action"], found["outcome"], found["details"]) == ("company.connected", "refused", {})
    changed = ("companies", "connect", "acme", "--error-email", "anna@acme.example", "--no-expenses")
    commands.run(*changed, environment=environment)
    found = newest(environment)
    assert (found["action"], found["details"]) == ("company.changed", {"changed": "errorEmail"})


def test_the_log_has_who_it_was_said_to_be_beside_who_it_was(acme: Unattended, environment: dict[str, str]) -> None:
    fail_invoice(acme, "i1")
    commands.run("events", "retry", "acme", "i1", "--by", "Maja", environment=environment)
    found = newest(environment)
    assert (found["name"], found["details"]) == (USER, {"event": "i1", "by": "Maja"})


def test_a_retry_of_many_is_one_entry_for_each_company_with_how_many(
    acme: Unattended, environment: dict[str, str]
) -> None:
    fail_invoice(acme, "i1", "i2", "i3")
    for event_id in ("a1", "a2"):
        acme.publish(customer_json(company="aaa", event_id=event_id, customer_number=event_id))
        with pytest.raises(Exception, match="NeverConnected"):
            acme.app.tasks["transfer.customer"].run("aaa", event_id)
    assert commands.run("events", "retry", "--all-failed", environment=environment).returncode == 0
    found = {one["company"]: one["details"]["count"] for one in entries(environment)}
    assert found == {"aaa": 2, "acme": 3}


def test_what_could_not_be_right_leaves_nothing_and_what_was_refused_is_said(
    acme: Unattended, environment: dict[str, str]
) -> None:
    for wrong in (
        ("companies", "settings", "acmee", "language=en"),
        ("companies", "settings", "acme", "s3cret=s3cret"),
    ):
        assert commands.run(*wrong, environment=environment).returncode == 2
    assert commands.run("events", "retry", "acme", "no-such-event", environment=environment).returncode == 1
    assert entries(environment) == []
    assert acme.services.redis.keys("mf:audit:*") == []
    assert commands.run("companies", "forget", "acme", "--yes", environment=environment).returncode == 1
    assert entries(environment) == []  # it was looked at first
    commands.run("events", "skip", "acme", "e1", environment=environment)
    assert newest(environment)["outcome"] == "refused"


def test_nothing_is_done_where_the_log_cannot_be_written(acme: Unattended, environment: dict[str, str]) -> None:
    fail_invoice(acme, "i1")
    acme.services.redis.set("mf:audit", "no stream")
    assert commands.run("events", "retry", "acme", "i1", environment=environment).returncode == 1
    assert acme.event("i1").status == "failed"


def test_what_was_cut_off_stays_as_under_way(acme: Unattended, environment: dict[str, str]) -> None:
    acme.services.stores.audit.begin(
        AuditEntry(datetime.now(UTC), "account", "maja", "keys.rotated", "", "under way", {})
    )
    assert newest(environment)["outcome"] == "under way"
    with pytest.raises(KeyboardInterrupt), acting(acme.services, MAJA, "event.retried", "acme", event="e1"):
        raise KeyboardInterrupt
    assert newest(environment)["outcome"] == "stopped"
    with pytest.raises(ZeroDivisionError), acting(acme.services, MAJA, "event.retried", "acme", event="e1"):
        raise ZeroDivisionError
    assert newest(environment, "--company", "acme")["outcome"] == "failed"


def test_pages_follow_one_another_without_a_gap_or_an_overlap(acme: Unattended) -> None:
    for number in range(25):
        with acting(acme.services, MAJA, "event.retried", "acme", event=f"e{number}"):
            pass
    found: list[str] = []
    before = ""
    while True:
        entries, before = audit.page(acme.services, "acme", before=before, limit=10)
        found += [entry.details["event"] for entry in entries]
        if not before:
            break
    assert found == [f"e{number}" for number in reversed(range(25))]
    with pytest.raises(WrongArgument):
        audit.page(acme.services, before="1-1 + COUNT")
    with pytest.raises(WrongArgument):
        audit.page(acme.services, "acmee")


def test_the_logs_are_bounded_and_a_damaged_entry_stops_no_list(acme: Unattended, environment: dict[str, str]) -> None:
    redis: Any = acme.services.redis
    with redis.pipeline() as pipeline:
        for number in range(LONGEST_OF_COMPANY + 10):
            pipeline.xadd("mf:audit:acme", {"details": f"{{ {number}"})
        for _ in range(LONGEST_OF_ALL + 10):
            pipeline.xadd("mf:audit", {"at": "yesterday"})
        pipeline.execute()
    with acting(acme.services, MAJA, "event.retried", "acme", event="e1"):
        pass
    assert (redis.xlen("mf:audit:acme"), redis.xlen("mf:audit")) == (LONGEST_OF_COMPANY, LONGEST_OF_ALL)
    first, second, *_ = entries(environment, "--company", "acme")
    assert (first["details"], second["details"], second["kind"]) == ({"event": "e1"}, {}, "")
    assert commands.run("audit", "--limit", "5", environment=environment).returncode == 0


def test_forgetting_a_company_forgets_its_log_and_the_log_of_all_keeps_who_did_it(
    acme: Unattended, environment: dict[str, str], tmp_path: Path
) -> None:
    acme.publish(customer_json(company="gone", event_id="g1"))
    commands.run("events", "skip", "gone", "g1", environment=environment)
    assert acme.services.redis.exists("mf:audit:gone")
    forget = ("companies", "forget", "gone", "--yes", "--output", str(tmp_path / "log.jsonl"))
    assert commands.run(*forget, environment=environment).returncode == 0
    assert not acme.services.redis.exists("mf:audit:gone")
    assert [one["action"] for one in entries(environment)[:2]] == ["company.forgotten", "event.skipped"]


def test_a_redis_that_ends_after_the_act_does_not_make_it_undone(
    acme: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise RedisError

    monkeypatch.setattr(type(acme.services.stores.audit), "end", away)
    with acting(acme.services, MAJA, "event.retried", "acme", event="e1"):
        pass
    assert audit.page(acme.services).entries[0].outcome == "under way"
