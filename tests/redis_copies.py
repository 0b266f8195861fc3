"""Copies of what a Redis holds, and putting one back: for tests of what happens then."""

from typing import Any

import redis

from stores.epoch import UNSEEN

Copy = dict[str, bytes]


def copied(client: "redis.Redis") -> Copy:
    """All keys with their values."""
    with _raw(client) as raw:
        return {name.decode(): raw.dump(name) for name in raw.scan_iter()}  # type: ignore[misc]


def put_back(client: "redis.Redis", copy: Copy) -> None:
    """Replace everything by the copy, at once: what writes meanwhile would be in the way."""
    with _raw(client) as raw, raw.pipeline() as pipeline:
        pipeline.flushdb()
        for name, dumped in copy.items():
            pipeline.restore(name, 0, dumped)
        pipeline.execute()


def ages(client: "redis.Redis") -> None:
    """Let the last look at this Redis be longer ago than one of a running system is."""
    looked: Any = client.hget("mf:installation", "looked")
    client.hset("mf:installation", "looked", str(int(looked) - 2 * UNSEEN))


def _raw(client: "redis.Redis") -> "redis.Redis":
    where: Any = client.connection_pool.connection_kwargs
    return redis.Redis(host=where["host"], port=where["port"], db=where["db"])
