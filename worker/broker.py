"""Corrections to kombu's Redis transport, so that a worker survives a Redis that is down or takes no writes.

When Redis goes down, kombu closes its channels twice, with messages still unacknowledged, and a transfer that ends
later acknowledges on a closed channel. Both ask for the address of a closed connection and get an AttributeError,
which nothing catches: the worker would end, with everything that it runs. Turned into a connection error, it is
logged, the worker reconnects, and the message comes back after its visibility timeout.

A Redis that is full, read-only or without disk space answers writes with an error, which would also end the worker. The
worker waits for it as for one that is down. Such a Redis also refuses acknowledgements (they are sent in a MULTI), and
an unacknowledged message would block a prefetch slot for good: the slot is freed, and the message comes back after its
visibility timeout.

A subscription (of Flower, `celery events`) at a former master is not refused: nothing is published there any
more. A listener looks every few seconds whether another server is behind the address.

A wake-up from the ordering engine is not stored as unacknowledged: the engine knows whether it was answered, and sends
a lost one again. That saves two round trips with a transaction each.
"""

import time
from typing import Any, Final

from kombu.transport import redis, virtual
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError, TimeoutError

from config.redis_connections import (
    MasterConnection,
    NodeConnection,
    TlsMasterConnection,
    TlsNodeConnection,
    UnsuitableServer,
    master_pool,
)
from delivery.wakeups import is_wakeup
from moment.events import MAX_EVENT_BYTES
from worker.ingress import readable

LISTENER_CHECKED: Final = 2.0  # seconds between two looks
SEPARATOR = redis.Channel.sep  # between a queue's name and a priority


class QoS(redis.QoS):
    """A message whose acknowledgement failed no longer counts as in progress. Wake-ups are kept in memory only."""

    channel: Any  # both are incomplete in the published types
    _delivered: Any

    def append(self, message: virtual.Message, delivery_tag: str) -> None:
        if is_wakeup(delivery_tag):
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def restore_by_tag(self, tag: str | bytes, client: Any = None, leftmost: bool = False) -> None:
        """Requeue a message that this worker does not get to; with a tag of bytes, one of a dead worker."""
        if isinstance(tag, bytes) or not is_wakeup(tag):
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[arg-type]  # the published types have no bytes
        elif message := self._delivered.get(tag):
            about = message.delivery_info
            with self.channel.conn_or_acquire(client) as client:
                restore = self.channel._do_restore_message
                restore(message._raw, about["exchange"], about["routing_key"], client, leftmost)

    def ack(self, delivery_tag: str) -> None:
        if is_wakeup(delivery_tag):
            return virtual.QoS.ack(self, delivery_tag)
        try:
            super().ack(delivery_tag)
        except ResponseError:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)
        except ResponseError:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Client(Redis):
    """A client that hands kombu only envelopes that it can read (`worker.ingress`)."""

    most = MAX_EVENT_BYTES

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and reply:
            key, raw = reply
            return key, readable(raw, key.decode().partition(SEPARATOR)[0], self.most)
        return reply


class Channel(redis.Channel):
    """A channel that reports a closed connection as a connection error."""

    QoS = QoS
    connection_class: type[Any] = NodeConnection
    connection_class_ssl: type[Any] = TlsNodeConnection

    _look_at = 0.0  # by the monotonic clock

    def maybe_refresh_binding_expiry(self) -> None:
        """Called each second or so, also where nothing arrives."""
        super().maybe_refresh_binding_expiry()  # type: ignore[misc]  # not in kombu's published types
        if time.monotonic() >= self._look_at and self._only_listens():
            self._look_at = time.monotonic() + LISTENER_CHECKED
            self._leave_former_master()

    def _only_listens(self) -> bool:
        """A worker reads queues too, and a former master refuses that."""
        channels: Any = self.connection.channels
        return not any(one.active_queues for one in channels)

    def _leave_former_master(self) -> None:
        """Close the subscription there. The poller connects and subscribes anew."""
        listening = self.__dict__.get("subclient")
        connection = listening.connection if listening is not None else None
        if connection is None:
            return
        fresh = self.pool.make_connection()
        try:
            fresh.connect()
        except (ConnectionLost, TimeoutError):
            return  # a loss of the listener's own connection is noticed where it reads
        found = fresh.server.get("run_id")
        fresh.disconnect()
        if found != connection.server.get("run_id"):
            connection.disconnect()

    def _get_client(self) -> type[Redis]:
        return Client

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise ConnectionLost("this channel's connection to Redis was closed")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # not in kombu's published types
        return params


class SentinelChannel(Channel, redis.SentinelChannel):
    """The same, at the master that any of several Sentinels names. kombu's own keeps the list in the broker's URL."""

    from_transport_options = (*redis.SentinelChannel.from_transport_options, "sentinels")
    connection_class = MasterConnection
    connection_class_ssl = TlsMasterConnection
    sentinels: tuple[tuple[str, int], ...]  # these three come from the transport options
    master_name: str
    sentinel_kwargs: dict[str, Any]

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        params = self._connparams(asynchronous)
        for place in ("host", "port"):
            params.pop(place, None)
        return master_pool(self.sentinels, self.master_name, self.sentinel_kwargs, **params)


def outlive_connections(most: int = MAX_EVENT_BYTES) -> None:
    """Make all Redis transports of this process use `Channel`. (`broker_transport` would lose `rediss://`.)

    `most`: bytes of the largest event.
    """
    Client.most = most
    redis.Transport.Channel = Channel
    redis.SentinelTransport.Channel = SentinelChannel
    if ResponseError not in redis.Transport.connection_errors:
        redis.Transport.connection_errors += (ResponseError, UnsuitableServer)
