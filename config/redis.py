"""Clients of Redis, all with the same time-outs, and what their errors mean."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import DataError, RedisError, ResponseError

from config.settings import Settings

# With these settings Redis loses nothing that it has accepted.
DURABLE: Final = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def redis_client(settings: Settings, **options: Any) -> Redis:
    """A client with time-outs: a half-open connection (fail-over, NAT) would otherwise block its caller for ever."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=15.0,
        socket_connect_timeout=5.0,
        socket_keepalive=True,
        health_check_interval=30,
        **options,
    )


# Words of the errors with which a Redis refuses commands in general, also where a script met them.
_REFUSALS: Final = re.compile(
    r"\b(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|NOPERM|NOAUTH|BUSY)\b"
)


def is_outage(error: RedisError) -> bool:
    """Whether Redis is down or takes no writes. False where the command met unfit data: repeating it is of no use."""
    if isinstance(error, DataError):
        return False
    return type(error) is not ResponseError or bool(_REFUSALS.search(str(error)))


def redis_address(settings: Settings) -> str:
    """`host:port/database`, without a password."""
    url = urlsplit(settings.redis_url.get_secret_value())
    return f"{url.hostname}:{url.port or 6379}{url.path}"
