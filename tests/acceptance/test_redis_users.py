"""The whole system under the ACL users of redis-users.acl.example: each may do what it needs, and no more."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from config import load_settings
from local.stack import Stack
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

EXAMPLE = Path(__file__).parents[2] / "redis-users.acl.example"


def rules() -> dict[str, list[str]]:
    """The rules of each user but `default`, which stays on here for the test's own questions."""
    lines = (line.split() for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line.startswith("user "))
    return {name: given for _, name, *given in lines if name != "default"}


def password_of(user: str) -> str:
    return next((word[1:] for word in rules()[user] if word.startswith(">")), "any")


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with Stack(Path(tmp_path_factory.mktemp("users"))) as stack:
        stack.start_services()
        with redis.Redis.from_url(stack.environment["REDIS_URL"]) as admin:
            for user, given in rules().items():
                known = [word for word in given if word != "+client|setinfo" or not is_redis_7_0(admin)]
                admin.execute_command("ACL", "SETUSER", user, *known)  # type: ignore[no-untyped-call]
        stack.environment["REDIS_URL"] = as_user(stack, "app")
        stack.settings = load_settings(None, **{name.lower(): value for name, value in stack.environment.items()})
        stack.start_beat()
        stack.start_worker()
        yield System(stack, create_app(stack.settings))


def is_redis_7_0(admin: redis.Redis) -> bool:
    """Redis 7.0 refuses a subcommand that it does not know; 6.2 takes any, and 7.2 brought this one."""
    return str(admin.info("server")["redis_version"]).startswith("7.0.")


def as_user(stack: Stack, user: str) -> str:
    address = stack.settings.redis_url.get_secret_value().rpartition("@")[2].removeprefix("redis://")
    return f"redis://{user}:{password_of(user)}@{address}"


def refused(system: System) -> list[dict[str, Any]]:
    """What Redis refused the application, by its own log."""
    address = system.stack.settings.redis_url.get_secret_value().rpartition("@")[2]
    with redis.Redis.from_url(f"redis://{address}", decode_responses=True) as admin:
        return [one for one in admin.acl_log() if one["username"] == "app"]


def test_the_system_runs_under_the_users_of_the_example_and_is_refused_nothing(restricted: System) -> None:
    restricted.connect("acme", expenses={"accountNumbers": ["4010"]})
    restricted.publish(customer_json(), customer_json(event_id="bad", company="stranger"))
    assert restricted.settled("acme", "e1").status == "done"
    assert restricted.settled("stranger", "bad").status == "failed"
    wait_until(lambda: restricted.mails_to("drift@integration.example"), what="the mail")
    restricted.stack.start_flower()
    wait_until(lambda: restricted.run("health").returncode == 0, what="beat's first round", interval=0.5)
    for command in (("status",), ("events", "list"), ("companies", "show", "acme"), ("expenses", "status")):
        done = restricted.run(*command)
        assert done.returncode == 0, done.stderr
    assert refused(restricted) == []


def test_a_producer_may_add_to_the_stream_and_nothing_else(restricted: System) -> None:
    with redis.Redis.from_url(as_user(restricted.stack, "producer"), decode_responses=True) as producer:
        producer.xadd("moment:events", {"event": json.dumps(customer_json(event_id="by-stream", company="stranger"))})
        assert restricted.settled("stranger", "by-stream").status == "failed"
        for attempt in (
            lambda: producer.get("mf:event:acme:e1"),
            lambda: producer.xrange("moment:events"),
            lambda: producer.lpush("transfers", "x"),
            lambda: producer.flushall(),
            lambda: producer.keys("*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                attempt()


def test_whoever_reads_outcomes_may_read_them_and_nothing_else(restricted: System) -> None:
    restricted.publish(customer_json(event_id="told", company="stranger"))
    assert restricted.settled("stranger", "told").status == "failed"
    with redis.Redis.from_url(as_user(restricted.stack, "outcomes"), decode_responses=True) as reader:
        ((_, entries),) = reader.xread({"moment:outcomes": "0"})
        assert entries
        for attempt in (
            lambda: reader.xadd("moment:outcomes", {"id": "forged"}),
            lambda: reader.xread({"moment:events": "0"}),
            lambda: reader.delete("moment:outcomes"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                attempt()


def test_the_health_check_of_compose_may_write_its_key_and_nothing_else(restricted: System) -> None:
    with redis.Redis.from_url(as_user(restricted.stack, "health")) as health:
        assert health.set("health:redis", "ok", ex=60)
        with pytest.raises(redis.exceptions.NoPermissionError):
            health.get("health:redis")
