"""Redis is emptied, replaced, or set back to an older copy under a running system: it goes on, and people are told."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from local import ManagedProcess
from local.stack import Stack
from operations.health import problems
from tasks.flows import RECEIVE
from tests.acceptance.conftest import System
from tests.unit.factories import customer_json
from tests.waiting import wait_until
from worker.bootstrap import create_app
from worker.metrics import registry

OPERATOR = "drift@integration.example"


class Lossy:
    """The system with a worker, beat, and a scrape of the metrics, and what may happen to its Redis."""

    def __init__(self, stack: Stack, copies: Path) -> None:
        self.system = System(stack, create_app(stack.settings))
        self.beat = stack.start_beat()
        self.worker = stack.start_worker(concurrency=2)
        self.scraped = registry(self.system.app.services)
        self._copy = copies / "copy"
        self._redis = stack._redis

    def copy(self) -> None:
        """Make a copy of Redis's data."""
        self._redis.stop()
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._redis.directory, self._copy)
        self._redis.start()

    def is_emptied(self) -> None:
        self._client.flushall()

    def restarts_with_an_empty_disk(self) -> None:
        self._redis.kill()
        shutil.rmtree(self._redis.directory)
        self._redis.start()

    def is_set_back(self) -> None:
        self._redis.kill()
        shutil.rmtree(self._redis.directory)
        shutil.copytree(self._copy, self._redis.directory)
        self._redis.start()

    def is_replaced(self) -> None:
        """By the Redis of another installation with the same keys."""
        layout, check = self._client.mget("mf:layout", "mf:key-check")
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.flushall()
            pipeline.mset({"mf:layout": layout, "mf:key-check": check})
            pipeline.hset("mf:installation", mapping={"id": "theirs", "made": 1, "looks": 10**6})
            pipeline.execute()

    def losses(self) -> float | None:
        return self.scraped.get_sample_value("moment_fortnox_redis_losses")

    def reasons(self) -> str:
        return self.system.run("health", "redis").stderr

    @property
    def _client(self) -> "redis.Redis":
        return self.system.app.services.redis


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lossy]:
    with Stack(Path(tmp_path_factory.mktemp("lossy"))) as stack:
        stack.start_services()
        yield Lossy(stack, Path(tmp_path_factory.mktemp("copies")))


def noticed(process: ManagedProcess) -> int:
    """How often the process has logged a loss."""
    return process.log_tail(100_000).count("redis.lost_data")


@pytest.mark.parametrize(
    ("number", "happens", "told"),
    [
        (1, Lossy.is_emptied, "was emptied"),
        (2, Lossy.is_set_back, "went back to what it held"),
        pytest.param(3, Lossy.restarts_with_an_empty_disk, "was emptied", marks=pytest.mark.proof),
        pytest.param(4, Lossy.is_replaced, "holds other data", marks=pytest.mark.proof),
    ],
)
def test_a_loss_of_redis_ends_nobody_and_is_told_until_somebody_acknowledges_it(
    lossy: Lossy, number: int, happens: Callable[[Lossy], None], told: str
) -> None:
    system, services = lossy.system, lossy.system.app.services
    wait_until(lambda: services.redis.exists("redbeat::lock"), what="a live beat")
    wait_until(lambda: lossy.losses() == 0, what="the metrics to have looked")
    lossy.copy()
    before = f"before{number}"
    system.publish(customer_json(event_id=before, company="stranger"))
    assert system.settled("stranger", before).status == "failed"
    wait_until(lambda: len(system.mails_to(OPERATOR)) and not reports(system), what="the mail about the stranger")
    looked(system)
    mailed = len(system.mails_to(OPERATOR))
    logged = {process: noticed(process) for process in (lossy.worker, lossy.beat)}

    happens(lossy)

    wait_until(lambda: lossy.losses() == 1, what="the loss to be noticed", interval=0.5)
    assert told in lossy.reasons()
    for process, n in logged.items():
        wait_until(lambda process=process, n=n: noticed(process) == n + 1, what=f"the log line of {process.name}")
    wait_until(lambda: len(system.mails_to(OPERATOR)) > mailed, what="the mail", interval=0.2)
    assert any(mail["subject"] == "Redis has lost data" and told in mail["text"] for mail in system.mails_to(OPERATOR))

    # All goes on: each door, and what beat sends.
    system.connect(f"after{number}")
    system.publish(customer_json(company=f"after{number}"))
    assert system.settled(f"after{number}", "e1").status == "done"
    with Celery(broker=services.settings.redis_url.get_secret_value(), set_as_current=False) as producer:
        event = customer_json(company="stranger", event_id=f"door2-{number}")
        producer.send_task(RECEIVE.name, [event], queue=RECEIVE.queue)
    assert system.settled("stranger", f"door2-{number}").status == "failed"
    event = customer_json(company="stranger", event_id=f"door3-{number}")
    services.redis.xadd("moment:events", {"event": json.dumps(event)})
    assert system.settled("stranger", f"door3-{number}").status == "failed"
    wait_until(lambda: not [*problems(services)][2:], what="only the loss to be wrong", interval=0.5)
    for process in (lossy.worker, lossy.beat):
        process.check()

    assert system.run("health", "redis", "--acknowledge").returncode == 2  # nobody can be asked
    assert told in lossy.reasons()
    assert system.run("health", "redis", "--acknowledge", "--yes").returncode == 0
    assert lossy.losses() == 0


def test_a_worker_that_finds_the_state_of_another_version_under_it_stops(lossy: Lossy) -> None:
    redis = lossy.system.app.services.redis
    redis.mset({"mf:layout": "1"})
    redis.hset("mf:installation", mapping={"id": "another version's", "made": 1})
    assert lossy.worker.wait(timeout=120) == 0
    assert "Redis holds layout version 1" in lossy.worker.log_tail(200)


def reports(system: System) -> int:
    return system.app.services.ordering.unreported_count()


def looked(system: System) -> None:
    """Wait until each process has looked several times since."""
    looks = lambda: int(system.app.services.redis.hget("mf:installation", "looks") or 0)  # noqa: E731
    first = looks()
    wait_until(lambda: looks() >= first + 5, what="the looks", interval=0.5)
