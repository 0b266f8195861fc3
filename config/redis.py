"""Clients of Redis, all with the same time-outs, and what their errors mean."""

import re
from typing import Any, Final

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import DataError, RedisError, ResponseError
from redis.retry import Retry

from config.redis_connections import (
    MasterConnection,
    NodeConnection,
    TlsMasterConnection,
    TlsNodeConnection,
    WrongNode,
    master_pool,
)
from config.redis_replicas import acknowledged
from config.settings import Settings

TIMEOUTS: Final[dict[str, Any]] = {
    "socket_timeout": 15.0,
    "socket_connect_timeout": 5.0,
    "socket_keepalive": True,
    "health_check_interval": 30,
    # An idle connection may still lead to a former master. What that one refuses was not done, so it is sent once more.
    # After any other error it may have been done.
    "retry": Retry(NoBackoff(), 1, (WrongNode,)),
}
SENTINEL_TIMEOUT: Final = 1.0  # seconds; a Sentinel that does not answer must not keep clients from asking the next


def redis_client(settings: Settings, **options: Any) -> Redis:
    """A client with time-outs: a half-open connection (fail-over, NAT) would otherwise block its caller for ever."""
    return Redis.from_pool(_pool(settings, TIMEOUTS | options))


def _pool(settings: Settings, options: dict[str, Any]) -> ConnectionPool:
    address, sentinels = settings.redis_address, settings.redis_sentinels
    common = {
        "db": address.database,
        "credential_provider": credentials(settings),
        **(tls_options(settings) or {}),
        **options,
    }
    if sentinels is None:
        kind = TlsNodeConnection if address.tls else NodeConnection
        return ConnectionPool(connection_class=kind, host=address.host, port=address.port, **common)
    of_master = TlsMasterConnection if address.tls else MasterConnection
    asked_with = sentinel_options(settings)
    pool: ConnectionPool = master_pool(*sentinels, asked_with, connection_class=of_master, **common)
    return pool


def sentinel_options(settings: Settings) -> dict[str, Any]:
    """How Sentinels are asked, as redis-py takes it. The `repr` of the password shows none."""
    password, tls = settings.redis_sentinel_password, tls_options(settings)
    return {
        "socket_timeout": SENTINEL_TIMEOUT,
        "socket_connect_timeout": SENTINEL_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),  # the next one is asked instead
        **({"ssl": True, **tls} if tls else {}),
        **(
            {"credential_provider": UsernamePasswordCredentialProvider(None, password.get_secret_value())}
            if password
            else {}
        ),
    }


def credentials(settings: Settings) -> UsernamePasswordCredentialProvider | None:
    """User and password as redis-py takes them. The `repr` shows none."""
    address = settings.redis_address
    return UsernamePasswordCredentialProvider(address.username, address.password) if address.password else None


def tls_options(settings: Settings) -> dict[str, Any] | None:
    """How certificates are checked, as redis-py, kombu and Flower take it. None without TLS."""
    address = settings.redis_address
    if not address.tls:
        return None
    return {
        "ssl_cert_reqs": "required" if address.verified else "none",
        "ssl_check_hostname": address.verified,
        "ssl_ca_certs": str(settings.redis_ca) if settings.redis_ca else None,
    }


# Words of the errors with which a Redis refuses commands in general, also where a script met them.
_REFUSALS: Final = re.compile(
    r"\b(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|NOPERM|NOAUTH|BUSY)\b"
)


def is_outage(error: RedisError) -> bool:
    """Whether Redis is down or takes no writes. False where the command met unfit data: repeating it is of no use."""
    if isinstance(error, DataError):
        return False
    return type(error) is not ResponseError or bool(_REFUSALS.search(str(error)))


def check_answers(settings: Settings) -> None:
    """Raises `RedisError` within five seconds where no Redis answers, or one that cannot do what the settings want.

    A client for work waits longer.
    """
    client: Any
    with redis_client(settings, socket_timeout=5.0) as pooled, pooled.client() as client:
        if settings.redis_replicas_fsync:
            acknowledged(client.connection, 0, on_disk=True)  # this Redis may be too old for it
        client.ping()
