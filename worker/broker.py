"""A Celery worker that outlives a Redis that goes away, or takes no writes: corrections to kombu's Redis transport.

When Redis goes away, kombu closes its channels a second time, with messages still unacknowledged, and a transfer that
ends later acknowledges on a channel that is closed. Both reach for the address of a connection that is gone and get an
AttributeError, which nothing expects: the worker would end, with all that it runs. As a connection error like any other
it is told in the log, the worker connects again, and the message comes back after its visibility timeout.

A Redis that is full, read-only or without room on its disk answers writes with an error, which would end the worker
too. It is waited for like one that is away. It refuses acknowledgements as well (they are sent in a MULTI), and a
message that was not acknowledged would hold the place of the next one for good: the place is given back, and the
message comes back after its visibility timeout.

A wake-up that the ordering engine sent is not written down as unacknowledged: one that is lost with its worker is sent
again by the engine, which knows whether it was answered. That saves two round trips with a transaction each.
"""

from typing import Any

from kombu.transport import redis, virtual
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from delivery.wakeups import is_wakeup


class QoS(redis.QoS):
    """What Redis did not let be acknowledged no longer counts as under way here. Wake-ups are kept in memory alone."""

    channel: Any  # there is more to both than in the published types
    _delivered: Any

    def append(self, message: virtual.Message, delivery_tag: str) -> None:
        if is_wakeup(delivery_tag):
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def restore_by_tag(self, tag: str | bytes, client: Any = None, leftmost: bool = False) -> None:
        """Puts a message back that this worker does not get to; as bytes, one that Redis has of a worker that died."""
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


class Channel(redis.Channel):
    """A channel whose connection was closed says so."""

    QoS = QoS

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise ConnectionLost("this channel's connection to Redis was closed")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # not in kombu's published types
        return params


def outlive_connections() -> None:
    """Has all Redis transports of this process use it. (Named in `broker_transport`, it would lose `rediss://`.)"""
    redis.Transport.Channel = Channel
    if ResponseError not in redis.Transport.connection_errors:
        redis.Transport.connection_errors += (ResponseError,)
