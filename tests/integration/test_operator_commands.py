"""What an operator asks and does at the terminal, about events that a real transfer left in each state."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from messages import Message
from operations.bodies import received
from ordering import Release, Submission
from stores import TimelineEntry
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json

NO_ACCOUNT = "9999"


@pytest.fixture
def environment(unattended: Unattended) -> dict[str, str]:
    settings = unattended.app.settings
    return {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
        "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
    }


@pytest.fixture
def failed(acme: Unattended) -> Unattended:
    """`acme` with the invoice `i1` on an account that its ledger does not have."""
    event = invoice_json(event_id="i1", project=None)
    event["invoice"]["lines"][0]["accountNumber"] = NO_ACCOUNT
    acme.publish(event)
    acme.run("i1")
    assert acme.event("i1").status == "failed"
    return acme


def fail_unconnected(world: Unattended, company: str, *event_ids: str) -> None:
    for number, event_id in enumerate(event_ids, 1):
        world.publish(customer_json(company=company, event_id=event_id, customer_number=str(number)))
        with pytest.raises(Exception, match="NeverConnected"):
            world.app.tasks["transfer.customer"].run(company, event_id)


def listed(environment: dict[str, str], *options: str) -> list[dict[str, Any]]:
    done = commands.run("events", "list", "--json", *options, environment=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(environment: dict[str, str], *names: str) -> dict[str, Any]:
    done = commands.run("events", "show", *names, "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_fortnoxs_own_message_is_shown_with_what_it_names(failed: Unattended, environment: dict[str, str]) -> None:
    said = failed.event("i1").said
    assert NO_ACCOUNT in said
    (line,) = listed(environment, "--status", "failed")
    assert line["said"] == said
    assert said in commands.run("events", "list", environment=environment).stdout
    assert said in commands.run("events", "show", "i1", environment=environment).stdout


def test_a_code_is_the_situation_the_number_or_both(failed: Unattended, environment: dict[str, str]) -> None:
    situation, number = failed.event("i1").code.split()
    for code in (situation, number, f"{situation} {number}"):
        assert [one["id"] for one in listed(environment, "--code", code)] == ["i1"]
    for code in (situation[:-1], number[:-1], f"{situation} 1"):
        assert listed(environment, "--code", code) == []
        none = commands.run("events", "retry", "--all-failed", "acme", "--code", code, environment=environment)
        assert (none.returncode, none.stderr) == (1, "error: no such failed events\n")
    retried = commands.run("events", "retry", "--all-failed", "--code", number, environment=environment)
    assert (retried.returncode, retried.stdout.splitlines()[-1]) == (0, "1 retried")


def test_a_skipped_event_keeps_why_it_had_failed(failed: Unattended, environment: dict[str, str]) -> None:
    before = failed.event("i1")
    commands.run("events", "skip", "i1", "--reason", "by hand", "--by", "Maja", environment=environment)
    found = shown(environment, "acme", "i1")
    assert (found["reason"], found["said"], found["code"]) == ("by hand (Maja)", before.said, before.code)
    assert found["hadFailed"]
    assert failed.event("i1").before == before.reason
    commands.run("events", "retry", "i1", environment=environment)
    assert not failed.event("i1").before


def test_an_event_is_named_without_its_company_where_one_company_has_it(
    failed: Unattended, environment: dict[str, str]
) -> None:
    assert shown(environment, "i1") | {"timeline": []} == shown(environment, "acme", "i1") | {"timeline": []}
    assert shown(environment, "acme/i1")["id"] == "i1"
    fail_unconnected(failed, "brother", "i1")
    several = commands.run("events", "retry", "i1", environment=environment)
    assert several.returncode == 2
    assert "acme, brother" in several.stderr
    assert "…" not in several.stderr
    for n in range(6):
        failed.publish(customer_json(event_id="many", company=f"c{n}"))
    many = commands.run("events", "show", "many", environment=environment)
    assert many.stderr.endswith("name one: c0, c1, c2, c3, c4, … (6)\n")
    assert commands.run("events", "retry", "brother/i1", environment=environment).returncode == 0
    nobody = commands.run("events", "show", "i9", environment=environment)
    assert (nobody.returncode, nobody.stderr) == (1, "error: There is no event i9.\n")


@pytest.mark.parametrize(
    "command",
    [
        ("events", "list", "--company", "acmee"),
        ("events", "export", "--company", "acmee"),
        ("events", "show", "acmee", "e1"),
        ("events", "show", "acmee", "e1", "--body"),
        ("events", "status", "e1", "--company", "acmee"),
        ("audit", "--company", "acmee"),
        ("companies", "revoke-links", "acmee"),
        ("events", "retry", "acmee", "e1"),
        ("events", "retry", "--all-failed", "acmee"),
        ("events", "skip", "acmee", "e1"),
        ("events", "skip", "acmee", "--code", "x", "--yes"),
        ("status", "--company", "ACME"),
        ("wait", "--company", "acmee"),
        ("failures", "--company", "acmee"),
        ("companies", "show", "acmee"),
        ("companies", "settings", "acmee", "language=en"),
        ("companies", "disconnect", "acmee"),
        ("companies", "forget", "acmee", "--yes"),
        ("expenses", "status", "acmee"),
        ("expenses", "import", "acmee", "--days-back", "1"),
        ("expenses", "explain", "acmee", "1"),
    ],
    ids=" ".join,
)
def test_an_unknown_company_is_an_error_that_names_the_one_most_like_it(
    acme: Unattended, environment: dict[str, str], command: tuple[str, ...]
) -> None:
    done = commands.run(*command, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("there is no such company; did you mean acme?\n")
    assert acme.services.redis.hgetall("mf:settings:acmee") == {}


def test_failures_are_listed_by_cause_with_the_command_that_retries_just_them(
    failed: Unattended, environment: dict[str, str]
) -> None:
    fail_unconnected(failed, "one", "n1", "n2")
    fail_unconnected(failed, "two", "n1")
    done = commands.run("failures", "--json", environment=environment)
    never, account = map(json.loads, done.stdout.splitlines())
    assert (never["events"], never["companies"]) == (3, {"one": 2, "two": 1})
    assert (account["events"], account["companies"], NO_ACCOUNT in account["said"]) == (1, {"acme": 1}, True)
    assert never["oldest"] == shown(environment, "one", "n1")["settledAt"]
    retried = run_words(never["retry"], environment)
    assert retried.stdout.splitlines()[-1] == "3 retried"
    assert failed.event("i1").status == "failed"
    text = commands.run("failures", environment=environment).stdout
    assert len(text.splitlines()) == 2
    of_one = commands.run("failures", "--company", "one", environment=environment).stdout.splitlines()
    assert len(of_one) == 1


def test_a_cause_without_a_code_is_retried_by_one_of_its_events(
    failed: Unattended, environment: dict[str, str]
) -> None:
    for company in ("one", "two"):
        failed.services.ordering.publish(refused(company))
    done = commands.run("failures", "--json", environment=environment)
    (cause,) = (one for one in map(json.loads, done.stdout.splitlines()) if not one["code"])
    assert cause["events"] == 2
    retried = run_words(cause["retry"], environment)
    assert retried.stdout.splitlines()[-1] == "2 retried"


def test_status_for_attention_has_only_companies_that_need_somebody(
    failed: Unattended, environment: dict[str, str]
) -> None:
    failed.publish(customer_json(company="quiet"))
    done = commands.run("status", "--attention", environment=environment)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["company", "acme"]
    asked = json.loads(commands.run("status", "--attention", "--json", environment=environment).stdout)
    assert set(asked["companies"]) == {"acme"}
    assert asked["events"]["ready"] == 1


def test_a_company_has_one_state(acme: Unattended, environment: dict[str, str]) -> None:
    def state() -> str:
        done = commands.run("status", "--company", "acme", environment=environment)
        return done.stdout.splitlines()[1].split("\t")[1]

    assert state() == "connected"
    acme.publish(customer_json(event_id="r1", customer_number="2"))
    claim = acme.services.ordering.claim("acme", "r1")
    assert claim is not None
    acme.services.ordering.settle(claim, Release(timedelta(hours=30)))
    assert state().startswith("resting until 20")
    again = shown(environment, "r1")
    assert (again["status"], again["state"], again["until"] is not None) == ("ready", "resting", True)
    acme.services.ordering.pause("acme", Message("fortnox.grant-dead.reason"))
    assert state() == "paused: the grant ended"
    shown_company = commands.run("companies", "show", "acme", environment=environment).stdout
    assert "connected  " not in shown_company.split("ledger")[0]
    assert "{" not in shown_company
    assert "None" not in shown_company
    listed_state = commands.run("companies", "list", environment=environment).stdout
    assert "acme\tpaused: the grant ended" in listed_state
    told = json.loads(commands.run("status", "--json", environment=environment).stdout)["companies"]["acme"]
    assert (told["connection"], told["state"]) == ("paused", "paused")


def test_a_retry_says_when_the_event_goes_on(failed: Unattended, environment: dict[str, str]) -> None:
    failed.services.ordering.pause("acme", Message("fortnox.grant-dead.reason"))
    paused = commands.run("events", "retry", "i1", environment=environment)
    assert paused.stdout == (
        "acme i1: ready (paused: the grant ended; it goes on when the company is connected again)\n"
    )


def test_an_event_behind_others_of_its_company_waits_for_capacity(
    acme: Unattended, environment: dict[str, str]
) -> None:
    for number in range(20):
        acme.publish(customer_json(event_id=f"c{number}", customer_number=str(500 + number)))
    assert shown(environment, "c0")["state"] == "ready"
    assert shown(environment, "c19")["state"] == "capacity"
    assert "status    waiting for capacity" in commands.run("events", "show", "c19", environment=environment).stdout


def test_a_dry_run_shows_which_events_and_changes_none(failed: Unattended, environment: dict[str, str]) -> None:
    situation = failed.event("i1").code.split()[0]
    for command in (("retry", "--all-failed"), ("skip", "--code", situation)):
        done = commands.run("events", *command, "--dry-run", environment=environment)
        assert done.returncode == 0
        assert "acme i1  invoice 1001" in done.stderr
        assert failed.event("i1").status == "failed"
    disconnect = commands.run("companies", "disconnect", "acme", "--dry-run", environment=environment)
    assert (disconnect.returncode, "Nothing was done" in disconnect.stderr) == (0, True)


def test_skipping_by_code_asks_and_where_nobody_can_answer_it_needs_yes(
    failed: Unattended, environment: dict[str, str]
) -> None:
    command = ("events", "skip", "--code", failed.event("i1").code, "--reason", "by hand")
    refused_ = commands.run(*command, environment=environment)
    assert (refused_.returncode, "--yes" in refused_.stderr, failed.event("i1").status) == (2, True, "failed")
    done = commands.run(*command, "--yes", environment=environment)
    assert (done.returncode, done.stdout, failed.event("i1").status) == (0, "1 skipped\n", "skipped")
    assert commands.run(*command, "--yes", environment=environment).returncode == 1


def test_a_company_that_never_was_is_forgotten_after_its_log_is_written(
    failed: Unattended, environment: dict[str, str], tmp_path: Path
) -> None:
    before = every_key(failed)
    fail_unconnected(failed, "acme-2", "e1", "e2")
    customer = {"id": 1, "customerNumber": "1"}  # that of e1, so it is held
    failed.publish(invoice_json(company="acme-2", event_id="i1", project=None, customer=customer))
    failed.services.telemetry.timeline.add("acme-2", "e1", TimelineEntry(datetime.now(UTC), "looked at", {}))
    commands.run("events", "skip", "acme-2", "e2", environment=environment)
    commands.run("companies", "settings", "acme-2", "language=en", environment=environment)
    failed.services.telemetry.write_buffer.flush()  # or its timer writes when all is forgotten
    forget = ("companies", "forget", "acme-2", "--output", str(tmp_path / "log.jsonl"))
    assert commands.run(*forget, environment=environment).returncode == 2  # nobody can be asked
    assert commands.run(*forget, "--dry-run", environment=environment).returncode == 0
    done = commands.run(*forget, "--yes", environment=environment)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {row["id"]: row["status"] for row in rows} == {"e1": "failed", "e2": "skipped", "i1": "held"}
    assert json.loads(next(row["body"] for row in rows if row["id"] == "i1"))["company"] == "acme-2"
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o077 == 0
    assert failed.services.ordering.companies() == ["acme"]
    assert {key for key in every_key(failed) - before if "acme-2" in key} == set()
    assert failed.event("i1").status == "failed"
    assert failed.services.ordering.overdue() < timedelta(seconds=60)
    fail_unconnected(failed, "acme-2", "e1")  # it may come again


def every_key(world: Unattended) -> set[str]:
    """Every key of Redis, and every member of sets, hashes and sorted sets that names a company, but for the queues."""
    redis: Any = world.services.redis
    members = {"hash": redis.hkeys, "zset": lambda key: redis.zrange(key, 0, -1), "set": redis.smembers}
    found = set()
    for key in redis.scan_iter("mf:*"):
        found |= {key, *(f"{key} {member}" for member in members.get(redis.type(key), lambda key: [])(key))}
    return found


def test_a_company_that_is_connected_or_busy_is_not_forgotten(acme: Unattended, environment: dict[str, str]) -> None:
    connected = commands.run("companies", "forget", "acme", "--yes", environment=environment)
    assert (connected.returncode, "disconnect it first" in connected.stderr) == (1, True)
    acme.publish(customer_json(company="busy"))
    busy = commands.run("companies", "forget", "busy", "--yes", environment=environment)
    assert (busy.returncode, "events under way" in busy.stderr) == (1, True)
    assert acme.services.ordering.companies() == ["acme", "busy"]


def test_a_company_is_not_forgotten_with_an_event_that_nobody_saw(acme: Unattended) -> None:
    fail_unconnected(acme, "late", "e1")
    assert not acme.services.ordering.forget("late", 0)
    assert acme.services.ordering.forget("late", 1)


def test_what_was_received_is_shown_without_personal_data_unless_asked_for(
    failed: Unattended, environment: dict[str, str]
) -> None:
    event = customer_json(event_id="c1", customer_number="77", name="Anna Ek") | {"nickname": "Annie"}
    failed.publish(event)
    masked = commands.run("events", "show", "c1", "--body", environment=environment).stdout
    assert '"customerNumber": "77"' in masked
    assert '"name": "***"' in masked
    assert "Anna" not in masked
    whole = commands.run("events", "show", "c1", "--body", "--unmasked", environment=environment).stdout
    assert '"name": "Anna Ek"' in whole
    asked = commands.run("events", "show", "c1", "--body", "--json", environment=environment).stdout
    assert json.loads(asked)["body"]["customer"]["name"] == "***"
    assert commands.run("events", "show", "c1", "--unmasked", environment=environment).returncode == 2


@pytest.mark.parametrize("unmasked", [True, False])
def test_no_code_and_no_file_is_ever_shown(unmasked: bool) -> None:
    body = json.dumps({"integration": {"authorizationCode": "s3cret"}, "attachments": [{"content": "JVBER"}]})
    assert received(body, unmasked=unmasked) == {
        "integration": {"authorizationCode": "***"},
        "attachments": [{"content": "(5 characters)"}],
    }


@pytest.mark.parametrize("body", ["not JSON of Anna", '"text of Anna"', '{"anything": ["Anna", 19121212]}'])
def test_what_nobody_knows_is_masked(body: str) -> None:
    assert "Anna" not in json.dumps(received(body, unmasked=False))
    assert "19121212" not in json.dumps(received(body, unmasked=False))


def refused(company: str) -> Any:
    return Submission(
        company=company,
        id="bad one",
        key=f"{company}/customer/1",
        type="customer.created",
        body="{}",
        occurred_at=datetime.now(UTC),
        refused=Message("event.not-an-object"),
    )


def run_words(command: str, environment: dict[str, str]) -> Any:
    program, *words = shlex.split(command)
    assert program == "moment-fortnox"
    done = commands.run(*words, environment=environment)
    assert done.returncode == 0, done.stderr
    return done
