"""Clients of Redis, all with the same time-outs, and what their errors mean."""

import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import DataError, RedisError, ResponseError
from redis.retry import Retry

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


class RedisAccess(NamedTuple):
    """`REDIS_URL` without its credentials, which Celery and Flower would show, and the credentials beside it."""

    url: str
    username: str | None
    password: str | None

    @property
    def provider(self) -> UsernamePasswordCredentialProvider | None:
        """The credentials as redis-py takes them. Its `repr` shows none."""
        return UsernamePasswordCredentialProvider(self.username, self.password) if self.password else None


def redis_access(settings: Settings) -> RedisAccess:
    parts = urlsplit(settings.redis_url.get_secret_value())
    query = dict(parse_qsl(parts.query))
    username, password = query.pop("username", parts.username), query.pop("password", parts.password)
    netloc = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))
    return RedisAccess(url, unquote(username) if username else None, unquote(password) if password else None)


def check_answers(settings: Settings) -> None:
    """Raises `RedisError` within five seconds where no Redis answers. A client for work waits longer."""
    url = settings.redis_url.get_secret_value()
    with Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0, retry=Retry(NoBackoff(), 0)) as client:
        client.ping()


def redis_address(settings: Settings) -> str:
    """`host:port/database`, without a password."""
    url = urlsplit(settings.redis_url.get_secret_value())
    return f"{url.hostname}:{url.port or 6379}{url.path}"
