"""Wake-ups that the ordering engine's scripts put into Celery's queue are messages as Celery itself writes them."""

from datetime import UTC, datetime

import pytest
import redis
from kombu import Connection

from config.queues import TRANSFERS_QUEUE
from delivery.wakeups import wakeup_sender
from ordering import Done, Ordering, Submission
from worker.broker import outlive_connections


@pytest.fixture
def ordering(redis_url: str, redis_client: "redis.Redis") -> Ordering:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    return Ordering(client, release_limit=1, sender=wakeup_sender())


def submit(ordering: Ordering, event_id: str, kind: str = "invoice") -> None:
    event = Submission("acme", event_id, f"acme/{kind}/{event_id}", f"{kind}.finalized", "{}", datetime.now(UTC))
    assert ordering.publish(event).wakeups == ()  # sent already


@pytest.mark.parametrize("event_id", ["e1", 'a "quoted" one', "back\\slash", "åäö-✓", "100%s", "a/b", "]],{}"])
def test_a_message_names_the_task_and_the_event(ordering: Ordering, redis_url: str, event_id: str) -> None:
    submit(ordering, event_id)
    with Connection(redis_url) as connection:
        message = connection.SimpleQueue(TRANSFERS_QUEUE).get(block=True, timeout=30)
        arguments, keywords, options = message.payload
        assert arguments == ["acme", event_id]
        assert (keywords, set(options.values())) == ({}, {None})
        assert message.headers["task"] == "transfer.invoice"
        assert message.headers["argsrepr"] == f"(acme invoice {event_id.replace('/', ' ')})"
        assert message.properties["correlation_id"] == message.headers["id"]
        message.ack()


def test_each_message_has_an_id_of_its_own_also_when_it_repeats_one(ordering: Ordering, redis_url: str) -> None:
    submit(ordering, "first")
    submit(ordering, "second")  # the company may have one at a time
    claim = ordering.claim("acme", "first")
    assert claim is not None
    assert ordering.settle(claim, Done()) == ()
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue(TRANSFERS_QUEUE)
        messages = [queue.get(block=True, timeout=30) for _ in range(2)]
        assert [message.payload[0] for message in messages] == [["acme", "first"], ["acme", "second"]]
        assert len({message.headers["id"] for message in messages}) == 2
        assert len({message.delivery_tag for message in messages}) == 2


def test_an_event_of_no_known_type_goes_to_the_task_for_the_unreadable(ordering: Ordering, redis_url: str) -> None:
    submit(ordering, "odd", kind="oddity")
    with Connection(redis_url) as connection:
        message = connection.SimpleQueue(TRANSFERS_QUEUE).get(block=True, timeout=30)
        assert message.headers["task"] == "transfer.unreadable"


def test_a_wakeup_is_not_written_down_until_it_is_acknowledged(
    ordering: Ordering, redis_url: str, redis_client: "redis.Redis"
) -> None:
    """The engine repeats what is not answered: each message would else cost two transactions."""
    outlive_connections(1_000_000)
    submit(ordering, "e1")
    with Connection(redis_url) as connection:
        message = connection.SimpleQueue(TRANSFERS_QUEUE).get(block=True, timeout=30)
        assert redis_client.exists("unacked", "unacked_index") == 0
        message.ack()
    assert redis_client.llen(TRANSFERS_QUEUE) == 0


@pytest.mark.parametrize("how", ["closed", "requeued"])
def test_a_wakeup_that_a_worker_did_not_get_to_is_put_back(
    ordering: Ordering, redis_url: str, redis_client: "redis.Redis", how: str
) -> None:
    """So a worker that stops makes nobody wait until the engine repeats it."""
    outlive_connections(1_000_000)
    submit(ordering, "e1")
    with Connection(redis_url) as connection:
        message = connection.SimpleQueue(TRANSFERS_QUEUE).get(block=True, timeout=30)
        if how == "requeued":
            message.requeue()
    with Connection(redis_url) as connection:
        again = connection.SimpleQueue(TRANSFERS_QUEUE).get(block=True, timeout=30)
        assert (again.payload[0], again.delivery_tag) == (["acme", "e1"], message.delivery_tag)
        again.ack()


def test_a_producers_message_is_written_down_until_it_is_acknowledged(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    outlive_connections(1_000_000)
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue("events")
        queue.put({"a": 1})
        message = queue.get(block=True, timeout=30)
        assert redis_client.hlen("unacked") == 1
        message.ack()
        assert redis_client.hlen("unacked") == 0


def test_a_producers_message_of_a_worker_that_died_comes_back(redis_url: str, redis_client: "redis.Redis") -> None:
    outlive_connections(1_000_000)
    with Connection(redis_url) as dead:  # closed after the other has the message
        first = dead.SimpleQueue("events")
        first.put({"a": 1})
        first.get(block=True, timeout=30)
        with Connection(redis_url, transport_options={"visibility_timeout": 0}) as connection:
            queue = connection.SimpleQueue("events")
            queue.channel.qos.restore_visible(interval=1)  # as a worker does every ten seconds
            again = queue.get(block=True, timeout=30)
            assert again.payload == {"a": 1}
            again.ack()
        assert redis_client.hlen("unacked") == 0
