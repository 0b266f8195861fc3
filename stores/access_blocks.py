"""Which parts of a company's Fortnox refuse us access: the hash `closed`, from `acme/customers` to its access block."""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from redis import Redis

from ordering.queries import PREFIX

OPENING: Final = "opening"  # in the place of a block, while the events that it held are released
# A part that was blocked again while it was being opened stays blocked.
FORGET: Final = (
    "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end"
)


class AccessBlock(NamedTuple):
    """The event that was refused first, whether a person was told of it, and why it was refused."""

    event_id: str
    told: bool
    situation: str
    code: str


class AccessBlockStore:
    """Access blocks of all companies."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}closed"
        self._forget = redis.register_script(FORGET)

    def of(self, company: str, parts: Iterable[str]) -> dict[str, AccessBlock]:
        """The blocks of those of these parts that have one."""
        asked = list(parts)
        found: Any = self._redis.hmget(self._key, [_field(company, part) for part in asked])
        return {part: block for part, text in zip(asked, found, strict=True) if (block := _read(text))}

    def all(self) -> list[tuple[str, str, AccessBlock | None]]:
        """(company, part, block), sorted. The block is None while the part is being opened."""
        found: Any = self._redis.hgetall(self._key)
        return [(*name.split("/", 1), _read(text)) for name, text in sorted(found.items())]

    def add(self, company: str, part: str, block: AccessBlock) -> tuple[bool, AccessBlock | None]:
        """Adds a block where there is none, and one in the place of `OPENING`.

        Returns whether there was neither, and the block that was there before.
        """
        name, text = _field(company, part), json.dumps(block)
        if self._redis.hsetnx(self._key, name, text):
            return True, None
        known = _read(self._redis.hget(self._key, name))  # type: ignore[arg-type]  # not awaitable: no asyncio
        if known is None:
            self._redis.hset(self._key, name, text)
        return False, known

    def mark_told(self, company: str, part: str, block: AccessBlock) -> None:
        self._redis.hset(self._key, _field(company, part), json.dumps(block._replace(told=True)))

    def mark_opening(self, company: str, part: str) -> None:
        self._redis.hset(self._key, _field(company, part), OPENING)

    def forget_opening(self, company: str, part: str) -> None:
        """Forgets the part, unless it was blocked again since `mark_opening`."""
        self._forget(keys=[self._key], args=[_field(company, part), OPENING])


def _field(company: str, part: str) -> str:
    return f"{company}/{part}"


def _read(text: str | None) -> AccessBlock | None:
    return None if text in (None, OPENING) else AccessBlock(*json.loads(str(text)))
