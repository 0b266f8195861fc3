"""A correction to Flower, for the lengths of queues: with Sentinels it asks the first one alone, for database 0."""

from typing import Any

from redis.asyncio.sentinel import Sentinel

from config import Settings
from config.redis import TIMEOUTS, credentials, sentinel_options, tls_options


def ask_every_sentinel(settings: Settings) -> None:
    """Make Flower in this process find the master as everything else does."""
    from flower.utils.broker import RedisSentinel  # type: ignore[import-untyped]

    sentinels = settings.redis_sentinels
    if sentinels is None:
        return

    tls, asked_with = tls_options(settings), sentinel_options(settings) | {"retry": None}
    manager = Sentinel(sentinels.places, sentinel_kwargs=asked_with)  # type: ignore[no-untyped-call]  # kept: Flower closes none

    def client(*_: Any) -> Any:
        return manager.master_for(
            sentinels.master,
            db=settings.redis_address.database,
            credential_provider=credentials(settings),
            socket_timeout=TIMEOUTS["socket_connect_timeout"],
            **({"ssl": True, **tls} if tls else {}),
        )

    RedisSentinel._get_redis_client = client
