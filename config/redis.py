"""Clients of the one Redis, all with the same time-outs."""

from typing import Any

from redis import Redis

from config.settings import Settings


def redis_client(settings: Settings, **options: Any) -> Redis:
    """A client that never waits for ever: a half-open connection (fail-over, NAT) would else block its caller."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=15.0,
        socket_connect_timeout=5.0,
        socket_keepalive=True,
        health_check_interval=30,
        **options,
    )
