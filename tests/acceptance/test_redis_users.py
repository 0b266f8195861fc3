"""The whole system under the ACL users of redis-users.acl.example: each may do what it needs, and no more."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from celery import Celery

from config import load_settings
from local import ManagedProcess
from local.stack import Stack
from tasks.flows import RECEIVE
from tests.acceptance.conftest import System
from tests.acceptance.test_expenses import ROW, expense
from tests.keys import misplaced
from tests.unit.factories import credit_note_json, customer_json, invoice_json, project_json
from tests.waiting import wait_until
from worker.bootstrap import create_app

EXAMPLE = Path(__file__).parents[2] / "redis-users.acl.example"
COMMANDS = (
    ("status",),
    ("status", "--attention"),
    ("wait", "--timeout", "60"),
    ("failures",),
    ("events", "list"),
    ("events", "list", "--company", "acme", "--number", "1001"),
    ("events", "list", "--code", "NeverConnected"),
    ("events", "show", "acme", "e3", "--body"),
    ("events", "status", "e3"),
    ("events", "export", "--company", "acme"),
    ("events", "damaged"),
    ("events", "damaged", "--clear"),
    ("companies", "list"),
    ("companies", "show", "acme"),
    ("companies", "settings", "acme", "language=en"),
    ("expenses", "status"),
    ("expenses", "import", "acme", "--days-back", "30", "--timeout", "60"),
    ("keys", "rotate"),
    ("health", "--acknowledge"),
    ("companies", "disconnect", "bolag", "--yes"),
)


def rules() -> dict[str, list[str]]:
    """The rules of each user but `default`, which stays on here for the test's own questions."""
    lines = (line.split() for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line.startswith("user "))
    return {name: given for _, name, *given in lines if name != "default"}


def password_of(user: str) -> str:
    return next((word[1:] for word in rules()[user] if word.startswith(">")), "any")


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    options = {"EXPENSE_POLL_INTERVAL": "1", "WORKER_REMOTE_CONTROL": "true"}
    with Stack(Path(tmp_path_factory.mktemp("users")), options=options) as stack:
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
    with admin(system) as client:
        return [one for one in client.acl_log() if one["username"] == "app"]


def admin(system: System) -> "redis.Redis":
    address = system.stack.settings.redis_url.get_secret_value().rpartition("@")[2]
    return redis.Redis.from_url(f"redis://{address}", decode_responses=True)


def succeeds(system: System, *command: str) -> None:
    done = system.run(*command)
    assert done.returncode == 0, (command, done.stderr)


def test_the_whole_system_runs_under_the_users_of_the_example_and_is_refused_nothing(
    restricted: System, tmp_path: Path
) -> None:
    system, sandbox = restricted, restricted.stack.sandbox
    redis_url = as_user(system.stack, "producer")
    system.connect("acme", expenses={"enabled": True, "accountNumbers": ["4010"]})
    system.connect("bolag")
    system.in_english("acme")
    sandbox.moment_project("acme", "1")
    metrics = system.stack._processes.start(
        "metrics", [sys.executable, "-m", "cli", "metrics", "--port", "0"], env=system.stack.environment
    )
    metrics.wait_ready(lambda: "/metrics" in metrics.log_tail())
    system.stack.start_flower()

    # Each door.
    file = system.file("acme", name="faktura.pdf", size=1_000)
    invoice = invoice_json(attachments=[file])
    with Celery(broker=redis_url, set_as_current=False) as producer:
        producer.send_task(RECEIVE.name, [customer_json()], queue=RECEIVE.queue, ignore_result=True)
    with redis.Redis.from_url(redis_url) as producer_client:
        producer_client.xadd("moment:events", {"event": json.dumps(project_json())})
    wait_until(lambda: system.app.services.ordering.event("acme", "e2"), what="the stream to be read")
    system.settled("acme", "e1")
    lines = "\n".join(map(json.dumps, (invoice, credit_note_json())))
    assert system.run("publish", "-", stdin=lines).returncode == 0
    system.publish(customer_json(event_id="bad", company="stranger"), customer_json(company="bolag"))
    for company, event_id in (("acme", "e1"), ("acme", "e2"), ("acme", "e3"), ("acme", "e5"), ("bolag", "e1")):
        assert system.settled(company, event_id).status == "done"
    assert system.settled("stranger", "bad").status == "failed"

    # A failure and its mail, an outage, a closed part, and what a person does about them.
    sandbox.fault("fail_next", status=400, code=2000310, tenant="bolag", method="PUT", path="/3/customers")
    system.publish(customer_json(event_id="refused", company="bolag", name="Nytt AB"))
    wait_until(lambda: system.mails_to("drift@integration.example"), what="the mail")
    number = sandbox.supplier_invoice("acme", ROW)
    expense(system, "acme", f"fortnox:{number}:2")
    sandbox.supplier_invoice("acme", {**ROW, "Debit": "1200.00"}, invoice={"GivenNumber": number})
    expense(system, "acme", f"fortnox:{number}:2", amountExcludingVat="1200.00")
    assert system.run("events", "retry", "stranger", "bad").returncode == 0
    system.settled("stranger", "bad")
    succeeds(system, "events", "skip", "stranger", "bad")

    # A worker that is killed, the queues' clean-up, and beat's next rounds.
    system.stack._processes["worker"].kill()
    system.stack.start_worker("other-worker")
    wait_until(lambda: requests.get(metrics_of(metrics), timeout=30).text.count("moment_fortnox_up 1"), what="metrics")
    wait_until(lambda: system.run("health").returncode == 0, what="health", interval=0.5)
    assert system.app.control.ping(timeout=20, limit=1)
    for command in COMMANDS:
        succeeds(system, *command)
    succeeds(system, "companies", "forget", "stranger", "--yes", "--output", str(tmp_path / "log.jsonl"))
    with admin(system) as client:
        wait_until(lambda: "cmdstat_zrevrangebyscore" in client.info("commandstats"), what="a look for lost messages")
        keys = list(client.scan_iter(count=1000))

    assert refused(system) == []
    assert misplaced(keys, ("acme", "bolag", "stranger")) == []


def metrics_of(process: ManagedProcess) -> str:
    return next(word for word in process.log_tail().split() if word.endswith("/metrics"))


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
