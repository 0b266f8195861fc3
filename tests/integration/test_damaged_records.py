"""A record in Redis that cannot be read is shown as such, and stops no list, export, retry or metric."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from messages import Message
from messages.catalogue import say
from ordering import Failed
from ordering.history import Filter, find
from ordering.queries import SHARED
from tests.commands import run
from tests.mail_dispatch import MailDispatch, running_dispatch
from tests.unit.factories import customer_json
from worker.metrics import PREFIX, registry
from worker.publish import publish

UNREADABLE = ("far", "gone", "bytes", "other")


@pytest.fixture(scope="module")
def dispatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailDispatch]:
    """Failed events of acme: two whole ones, and some that a hand or a disk has damaged in between."""
    with running_dispatch(Path(tmp_path_factory.mktemp("damage"))) as running:
        dispatch = MailDispatch(*running)
        dispatch.connect()
        for number, event_id in enumerate(("first", *UNREADABLE, "last")):
            dispatch.ends(
                customer_json(event_id=event_id, customer_number=str(number)), Failed(Message("duration.days", n=1))
            )
        redis = dispatch.services.redis
        redis.hset("mf:event:acme:far", mapping={"occurred": "253402300799000", "accepted": "1e400"})
        redis.hdel("mf:event:acme:gone", "type", "status", "occurred")
        redis.hset("mf:event:acme:bytes", "attempts", b"\xff\xfe")  # type: ignore[arg-type]
        redis.delete("mf:event:acme:other")
        redis.set("mf:event:acme:other", "of another type")
        yield dispatch


@pytest.fixture
def environment(dispatch: MailDispatch) -> dict[str, str]:
    settings = dispatch.app.settings
    return {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
        "FORTNOX_AUTH_URL": settings.fortnox_auth_url,
        "MOMENT_API_URL": settings.moment_api_url,
    }


def test_every_question_finds_it(dispatch: MailDispatch) -> None:
    ordering = dispatch.ordering
    everything = {"first", "last", *UNREADABLE}
    assert {record.id for record in find(ordering, Filter("acme"))} == everything
    assert {record.id for record in ordering.failed("acme")} == everything
    assert {record.id: record.status for record in find(ordering, Filter("acme"))} == {
        **dict.fromkeys(everything, "failed"),
        "gone": "unreadable",
        "other": "unreadable",
    }
    record = ordering.event("acme", "far")
    assert record is not None
    assert record.unreadable == ("occurred", "accepted")
    assert record.reason.parts[-1] == Message("engine.unreadable-record", fields="occurred, accepted")


@pytest.mark.parametrize(
    "command",
    [
        ("events", "list", "--company", "acme"),
        ("events", "list", "--status", "failed"),
        ("events", "export", "--company", "acme"),
        ("events", "list", "--json"),
        *(("events", "show", "acme", event_id) for event_id in UNREADABLE),
        ("status",),
    ],
    ids=" ".join,
)
def test_every_command_shows_it(environment: dict[str, str], command: tuple[str, ...]) -> None:
    done = run(*command, environment=environment)
    assert done.returncode == 0, done.stderr
    if "--json" in command:
        found = {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}
        assert set(found) == {"first", "last", *UNREADABLE}
        assert found["gone"]["reason"].endswith(
            say(Message("engine.unreadable-record", fields="type, status, occurred"))
        )


def test_the_metrics_are_read(dispatch: MailDispatch) -> None:
    value = registry(dispatch.services).get_sample_value(PREFIX + "up", {})
    assert value == 1.0


def test_all_that_failed_is_retried_and_what_cannot_be_is_named(
    dispatch: MailDispatch, environment: dict[str, str]
) -> None:
    done = run("events", "retry", "--all-failed", environment=environment)
    assert done.returncode in (0, 1), done.stderr
    for event_id in ("first", "last"):
        record = dispatch.ordering.event("acme", event_id)
        assert record is not None
        assert record.status == "ready"
    assert {one.id for one in dispatch.ordering.damaged()} <= set(UNREADABLE)
    assert all(one.at <= datetime.now(UTC) for one in dispatch.ordering.damaged())


def test_what_the_engine_set_aside_is_listed_counted_and_forgotten_on_request(
    dispatch: MailDispatch, environment: dict[str, str]
) -> None:
    publish(customer_json(company="other", event_id="lost"), services=dispatch.app.services)
    dispatch.services.redis.delete("mf:event:other:lost")
    dispatch.ordering.claim("other", "lost")
    listed = json.loads(run("events", "damaged", "--json", environment=environment).stdout)
    assert ("other", "lost") in {(one["company"], one["id"]) for one in listed}
    assert registry(dispatch.services).get_sample_value(f"{PREFIX}damaged_events") == len(listed)
    assert "lost" in run("events", "damaged", "--clear", environment=environment).stdout
    again = run("events", "damaged", environment=environment)
    assert (again.returncode, again.stdout, again.stderr.strip()) == (0, "", "No record was damaged.")
    assert registry(dispatch.services).get_sample_value(f"{PREFIX}damaged_events") == 0


OF_A_COMPANY = ("company", "company-open", "company-failed", "company-done", "connection", "expenses")
JUNK = b"\xff{"


@pytest.mark.parametrize("family", OF_A_COMPANY)
@pytest.mark.parametrize("how", ["another type", "junk"])
def test_one_companys_damaged_records_hide_no_other_company(
    dispatch: MailDispatch, environment: dict[str, str], family: str, how: str
) -> None:
    redis = dispatch.services.redis
    broken = f"broken-{family}-{len(how)}"
    for company in (broken, f"whole-{family}-{len(how)}"):
        dispatch.connect(company)
        publish(customer_json(company=company, event_id="e1"), services=dispatch.app.services)
    key = f"mf:{family}:{broken}" + (":ledgers" if family == "expenses" else "")
    if how == "another type" or not redis.exists(key):
        redis.delete(key)
        redis.set(key, "of another type")
    elif redis.type(key) == "hash":
        redis.hset(key, mapping=dict.fromkeys(redis.hkeys(key), JUNK))  # type: ignore[arg-type]
    else:
        redis.zadd(key, {JUNK: 1})  # type: ignore[dict-item]
    try:
        commands = (["status"], ["status", "--json"], ["failures"], ["events", "list"], ["companies", "list"])
        for command in commands:
            done = run(*command, environment=environment)
            assert done.returncode == 0, (command, done.stderr)
            assert f"whole-{family}-{len(how)}" in done.stdout or command == ["failures"]
        assert registry(dispatch.services).get_sample_value(PREFIX + "up", {}) == 1.0
    finally:
        redis.delete(key)


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_key_that_was_overwritten_turns_health_red_by_its_name(
    dispatch: MailDispatch, environment: dict[str, str], name: str
) -> None:
    redis, key = dispatch.services.redis, f"mf:{name}"
    assert "were overwritten" not in run("health", environment=environment).stderr
    had = redis.rename(key, "kept") if redis.exists(key) else None
    for junk in ("x", ["x"]):
        redis.delete(key)
        if isinstance(junk, str):
            redis.set(key, junk)
        else:
            redis.lpush(key, *junk)
        done = run("health", environment=environment)
        assert (done.returncode, f" {key}." in done.stderr) == (1, True)
    redis.delete(key)
    if had:
        redis.rename("kept", key)
