"""A connection to a node that does not serve is closed, and the next use reaches the one behind the address then."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError, ResponseError

from config import load_settings
from config.redis import redis_client
from config.redis_connections import WrongNode, wrong_node
from local.redis import LOOPBACK, free_port
from tests.services import running_redis
from tests.tcp_proxy import TcpProxy
from tests.waiting import DEADLINE, wait_until
from worker.bootstrap import create_app

SCRIPT = "return redis.call('SET', 'k', 'v')"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Redis, Redis]]:
    with (
        running_redis(tmp_path / "a") as first,
        running_redis(tmp_path / "b") as second,
        Redis.from_url(first) as a,
        Redis.from_url(second) as b,
    ):
        yield a, b


@pytest.fixture
def proxy(nodes: tuple[Redis, Redis]) -> Iterator[TcpProxy]:
    with TcpProxy(port_of(nodes[0])) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[Redis]:
    url = f"redis://{LOOPBACK}:{proxy.port}/0"
    with redis_client(load_settings(None, redis_url=url, fortnox_api_url="http://127.0.0.1:1")) as client:
        yield client


def port_of(redis: Redis) -> int:
    return int(redis.connection_pool.connection_kwargs["port"])


@pytest.mark.parametrize("kind", ["command", "script", "pipeline", "transaction"])
def test_a_write_that_a_former_master_refuses_reaches_the_new_one(
    nodes: tuple[Redis, Redis], proxy: TcpProxy, client: Redis, kind: str
) -> None:
    def write() -> None:
        if kind == "command":
            client.set("k", "v")
        elif kind == "script":
            client.eval(SCRIPT, 0)
        else:
            with client.pipeline(transaction=kind == "transaction") as pipeline:
                pipeline.get("k").set("k", "v").get("k")
                pipeline.execute()

    former, master = nodes
    write()
    former.replicaof(LOOPBACK, free_port())  # type: ignore[arg-type]
    with pytest.raises(WrongNode, match="READONLY"):
        write()
    client.get("k")  # connects there again
    proxy.target = port_of(master)
    write()
    assert master.get("k") == b"v"


def test_a_write_whose_answer_is_lost_is_not_repeated(nodes: tuple[Redis, Redis]) -> None:
    lost = []

    def answer(data: bytes) -> bytes:
        if nodes[0].exists("n"):
            lost.append(data)
            raise ConnectionResetError
        return data

    with TcpProxy(port_of(nodes[0]), change=answer) as proxy:
        url = f"redis://{LOOPBACK}:{proxy.port}/0"
        with redis_client(load_settings(None, redis_url=url, fortnox_api_url="http://127.0.0.1:1")) as client:
            client.ping()
            with pytest.raises(ConnectionLost):
                client.incr("n")
    assert lost
    assert nodes[0].get("n") == b"1"


def test_a_blocked_read_ends_when_its_master_is_demoted(
    nodes: tuple[Redis, Redis], proxy: TcpProxy, client: Redis
) -> None:
    former, master = nodes
    client.xgroup_create("stream", "group", mkstream=True)
    former.replicaof(LOOPBACK, free_port())  # type: ignore[arg-type]
    proxy.target = port_of(master)
    master.xgroup_create("stream", "group", mkstream=True)
    master.xadd("stream", {"a": "b"})
    assert client.xreadgroup("group", "me", {"stream": ">"}, block=1000)


def test_a_master_without_its_replicas_is_left(nodes: tuple[Redis, Redis], proxy: TcpProxy, client: Redis) -> None:
    former, master = nodes
    client.set("k", "v")
    former.config_set("min-replicas-to-write", 1)
    proxy.target = port_of(master)
    assert client.set("k", "v")


@pytest.mark.parametrize(
    ("said", "is_wrong"),
    [
        ("READONLY You can't write against a read only replica.", True),
        ("READONLY You can't write against a read only replica. script: f1, on @user_script:1.", True),
        ("Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write", True),
        ("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", True),
        ("NOREPLICAS Not enough good replicas to write.", True),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", True),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
        ("ERR unknown command 'LOADING'", False),
        ("user_script:1: event READONLY is damaged", False),
    ],
)
def test_which_errors_mean_another_node(said: str, is_wrong: bool) -> None:
    assert (wrong_node(ResponseError(said)) is not None) == is_wrong


def test_a_full_redis_is_the_right_node() -> None:
    assert wrong_node(OutOfMemoryError("command not allowed", status_code="OOM")) is None


def test_a_listener_leaves_a_server_that_is_no_longer_behind_the_address(
    nodes: tuple[Redis, Redis], proxy: TcpProxy
) -> None:
    url = f"redis://{LOOPBACK}:{proxy.port}/0"
    app = create_app(load_settings(None, redis_url=url, fortnox_api_url="http://127.0.0.1:1"))

    with app.connection() as connection:
        heard: list[dict[str, object]] = []
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        thread = Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        thread.start()
        wait_until(nodes[0].pubsub_numpat, what="the subscription")
        proxy.target = port_of(nodes[1])
        wait_until(nodes[1].pubsub_numpat, what="the subscription at the other server")
        assert not nodes[0].pubsub_numpat()
        with app.events.default_dispatcher(hostname="worker") as dispatcher:
            dispatcher.send("worker-heartbeat")
        wait_until(lambda: heard, what="an event by the other server")
        receiver.should_stop = True
        thread.join(timeout=DEADLINE)
