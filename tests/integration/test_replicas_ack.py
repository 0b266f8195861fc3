"""REDIS_REPLICAS_ACK: nothing counts as accepted, as in doubt, or as a stored token before a replica has it."""

import itertools
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from celery.exceptions import Retry as ShownAsRetry
from pydantic import SecretStr
from redis import Redis

from config.redis_connections import TooOld
from config.redis_replicas import TooFewReplicas
from local import EmbeddedRedis
from local.redis import LOOPBACK
from stores.connections import Tokens
from stores.event_stream import STREAM
from tests import commands
from tests.services import Sandbox
from tests.tcp_proxy import TcpProxy
from tests.unattended import Unattended, unattended_services
from tests.unit.factories import customer_json, invoice_json
from tests.waiting import wait_until
from worker.publish import publish
from worker.stream import StreamReader


@dataclass
class Pair:
    master: EmbeddedRedis
    replica: EmbeddedRedis

    @contextmanager
    def without_replica(self) -> Iterator[None]:
        """The replica is stopped meanwhile, so that it acknowledges nothing."""
        self.replica.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.replica.process.send_signal(signal.SIGCONT)

    def gets(self, second: EmbeddedRedis) -> None:
        """The master has this replica too."""
        with Redis(port=second.port or 0) as redis, Redis(port=self.master.port or 0) as master:
            redis.replicaof(LOOPBACK, self.master.port)  # type: ignore[arg-type]
            wait_until(lambda: master.set("up", "") and master.wait(2, 1000) == 2, what="both replicas")

    def on_replica(self, key: str) -> bool:
        with Redis(port=self.replica.port or 0) as redis:
            return bool(redis.exists(key))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with EmbeddedRedis(tmp_path / "master") as master, EmbeddedRedis(tmp_path / "replica") as replica:
        with Redis(port=replica.port or 0) as redis:
            redis.replicaof(LOOPBACK, master.port)  # type: ignore[arg-type]
        with Redis(port=master.port or 0) as redis:
            wait_until(lambda: redis.set("up", "") and redis.wait(1, 1000), what="the replica")
        yield Pair(master, replica)
        replica.kill()  # Redis 6.2 does not end while it writes its first append-only file


@pytest.fixture
def system(pair: Pair, sandbox: Sandbox) -> Iterator[Unattended]:
    with unattended_services(pair.master.url, sandbox, redis_replicas_ack=1) as unattended:
        yield unattended


def test_an_event_is_accepted_once_a_replica_has_it(pair: Pair, system: Unattended) -> None:
    assert not publish(customer_json(), services=system.services).known
    assert pair.on_replica("mf:event:acme:e1")


def test_without_a_replica_publishing_fails_and_again_is_harmless(pair: Pair, system: Unattended) -> None:
    with pair.without_replica():
        for _ in range(2):  # also where the event is known, and nothing is written
            with pytest.raises(TooFewReplicas, match="only 0 of 1 replicas have it"):
                publish(customer_json(), services=system.services)
    assert publish(customer_json(), services=system.services).known
    assert pair.on_replica("mf:event:acme:e1")
    assert system.services.ordering.counts("acme")["ready"] == 1


def test_a_second_replica_that_follows_is_waited_for_until_it_is_silent(
    pair: Pair, system: Unattended, tmp_path: Path
) -> None:
    """Sentinels may elect it as well as the one that has the event."""
    with EmbeddedRedis(tmp_path / "second") as second:
        pair.gets(second)
        assert not publish(customer_json(), services=system.services).known
        with pair.without_replica():
            with pytest.raises(TooFewReplicas, match="only 1 of 2 replicas have it"):
                publish(customer_json(event_id="other"), services=system.services)

            def accepted() -> bool:
                try:
                    return publish(customer_json(event_id="other"), services=system.services).known
                except TooFewReplicas:
                    return False

            wait_until(accepted, what="the silent replica to count no more")
        second.kill()


def test_a_replica_that_left_is_waited_for_too_since_it_may_be_the_new_master(
    pair: Pair, system: Unattended, tmp_path: Path
) -> None:
    numbers = itertools.count()

    def published() -> None:
        publish(customer_json(event_id=f"e{next(numbers)}"), services=system.services)

    def is_waited_for() -> bool:
        """Within the ten seconds, which a busy machine may miss."""
        pair.gets(second)
        published()
        with Redis(port=second.port or 0) as redis, Redis(port=pair.master.port or 0) as master:
            redis.replicaof("NO", "ONE")  # as a Sentinel elects it, while the former master still serves
            wait_until(lambda: master.info("replication")["connected_slaves"] == 1, what="it to have left")
        try:
            published()
        except TooFewReplicas as error:
            return (error.found, error.wanted) == (1, 2)
        return False

    with EmbeddedRedis(tmp_path / "second") as second:
        wait_until(is_waited_for, what="an error")
        second.kill()


def test_the_command_says_so(pair: Pair, system: Unattended) -> None:
    environment = {
        "REDIS_URL": pair.master.url,
        "FORTNOX_API_URL": system.app.settings.fortnox_api_url,
        "REDIS_REPLICAS_ACK": "1",
    }
    with pair.without_replica():
        done = commands.run("publish", "-", stdin=json.dumps(customer_json()), environment=environment)
    assert done.returncode == 1
    assert "only 0 of 1 replicas in time" in done.stderr
    assert "Traceback" not in done.stderr


def test_health_says_so(pair: Pair, system: Unattended) -> None:
    environment = {
        "REDIS_URL": pair.master.url,
        "FORTNOX_API_URL": system.app.settings.fortnox_api_url,
        "REDIS_REPLICAS_ACK": "1",
    }
    assert commands.run("health", "redis", environment=environment).returncode == 0
    with pair.without_replica():
        done = commands.run("health", "redis", environment=environment)
    assert done.returncode == 1
    assert "only 0 of 1 replicas in time" in done.stderr


def test_an_entry_stays_in_the_stream_until_a_replica_has_its_event(pair: Pair, system: Unattended) -> None:
    redis, reader = system.services.redis, StreamReader(system.services, "reader")
    redis.xadd(STREAM, {"event": json.dumps(customer_json())})
    with pair.without_replica(), pytest.raises(TooFewReplicas):
        reader.step()
    assert redis.xlen(STREAM) == 1
    wait_until(lambda: (reader.step(), redis.xlen(STREAM) == 0)[1], what="the entry to be taken")
    assert pair.on_replica("mf:event:acme:e1")
    assert system.services.ordering.counts("acme")["ready"] == 1
    reader.close()


def test_no_request_is_sent_before_a_replica_knows_of_its_doubt(pair: Pair, system: Unattended) -> None:
    system.connect()
    system.publish(customer_json(), invoice_json(project=None))
    assert system.run("e1") == "done"
    with pair.without_replica():
        ended = system.run("e3")
    assert isinstance(ended, ShownAsRetry)
    assert system.sandbox.state("acme")["invoices"] == []
    assert system.services.ordering.event("acme", "e3").attempts == 0  # type: ignore[union-attr]  # not its doing
    assert system.run("e3") == "done"
    assert len(system.sandbox.state("acme")["invoices"]) == 1


@pytest.mark.parametrize("before", [(), ("e1",)], ids=["new", "known"])
def test_no_customer_is_written_before_a_replica_knows_that_it_is_being_written(
    pair: Pair, system: Unattended, before: tuple[str, ...]
) -> None:
    """Else a fail-over could forget that an older version was through, and write it after the newer one."""
    system.connect()
    for event_id in before:
        system.publish(customer_json(event_id=event_id, name="Version 1"))
        assert system.run(event_id) == "done"
    system.publish(customer_json(event_id="e2", name="Version 2"))
    customers = system.sandbox.state("acme")["customers"]
    with pair.without_replica():
        assert isinstance(system.run("e2"), ShownAsRetry)
    assert system.sandbox.state("acme")["customers"] == customers
    assert system.run("e2") == "done"
    assert system.sandbox.state("acme")["customers"][0]["Name"] == "Version 2"


def test_a_token_is_stored_once_a_replica_has_it(pair: Pair, system: Unattended) -> None:
    system.connect()
    store = system.services.stores.connections
    tokens = Tokens(access_token=SecretStr("a"), refresh_token=SecretStr("r"), lifetime=timedelta(hours=1))
    version = store.version("acme")
    assert version is not None
    with pair.without_replica(), pytest.raises(TooFewReplicas):
        store.renewed("acme", version, tokens)
    store.renewed("acme", version, tokens)  # the same pair again
    held = store.held("acme")
    assert held is not None
    assert held.tokens.access_token == tokens.access_token


def test_a_master_that_is_cut_off_from_its_replicas_is_left(pair: Pair, sandbox: Sandbox) -> None:
    """As behind one name: the next use reaches whoever is there then."""
    assert pair.master.port is not None
    with TcpProxy(pair.master.port) as proxy:
        url = f"redis://{LOOPBACK}:{proxy.port}/0"
        with unattended_services(url, sandbox, redis_replicas_ack=1) as system:
            system.services.redis.ping()
            with pair.without_replica(), pytest.raises(TooFewReplicas):
                publish(customer_json(), services=system.services)
            with Redis(port=pair.replica.port or 0) as promoted, Redis(port=pair.master.port) as former:
                wait_until(lambda: promoted.exists("mf:event:acme:e1"), what="the replica to catch up")
                promoted.replicaof("NO", "ONE")
                proxy.target = pair.replica.port or 0
                former.replicaof(LOOPBACK, pair.replica.port)  # type: ignore[arg-type]
                wait_until(lambda: promoted.set("up", "") and promoted.wait(1, 1000), what="the new replica")
                assert publish(customer_json(), services=system.services).known


@pytest.mark.parametrize("what", ["publish", "status"])
def test_a_redis_that_cannot_wait_for_disks_is_refused(pair: Pair, sandbox: Sandbox, what: str) -> None:
    with Redis(port=pair.master.port or 0) as redis:
        if "waitaof" in redis.command():
            pytest.skip("this server can")
    if what == "publish":
        with (
            unattended_services(pair.master.url, sandbox, redis_replicas_ack=1, redis_replicas_fsync=True) as system,
            pytest.raises(TooOld, match=r"7\.2 \(for REDIS_REPLICAS_FSYNC\)"),
        ):
            publish(customer_json(), services=system.services)
        return
    environment = {"REDIS_URL": pair.master.url, "REDIS_REPLICAS_ACK": "1", "REDIS_REPLICAS_FSYNC": "true"}
    done = commands.run("status", environment=environment | {"FORTNOX_API_URL": "http://127.0.0.1:1"})
    assert (done.returncode, "7.2 (for REDIS_REPLICAS_FSYNC)" in done.stderr) == (1, True)


def test_a_redis_that_can_wait_for_disks_does(pair: Pair, sandbox: Sandbox) -> None:
    with Redis(port=pair.master.port or 0) as redis:
        if "waitaof" not in redis.command():
            pytest.skip("this server cannot")
    with unattended_services(pair.master.url, sandbox, redis_replicas_ack=1, redis_replicas_fsync=True) as system:
        assert not publish(customer_json(), services=system.services).known
