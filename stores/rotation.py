"""Seals all stored secrets again with the first of `ENCRYPTION_KEYS`, so that the other keys can be dropped.

Secrets sealed with the first key are passed over, so an interrupted run can simply be repeated. It scans Redis's keys
while the workers run, and reads a value again if it changed meanwhile.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from redis import Redis

from config.redis_replicas import Confirmed
from ordering.queries import PREFIX
from stores.vault import Unsealable, Vault

Resealing = Literal["resealed", "already", "unopenable"]

PAGE = 500  # keys asked for at a time
SECRETS = ("tokens", "spare")  # of a connection
CODE = re.compile(r'("authorizationCode"\s*:\s*")(gAAAA[\w=-]+)"')
SWAP = Path(__file__).parent / "lua" / "swap.lua"


class Step(NamedTuple):
    """One secret, or a page of keys, that the walk has done."""

    kind: Literal["tokens", "code", "body", "keys"]
    name: str  # the key in Redis
    found: Resealing | int  # of keys: how many the page had


class Rotation:
    """One walk over everything sealed."""

    def __init__(self, redis: Redis, vault: Vault, prefix: str = PREFIX, confirmed: Confirmed = nullcontext) -> None:
        """`confirmed`: as in `ConnectionStore`. A secret that fell back to a key that is dropped would be lost."""
        self._redis = redis
        self._confirmed = confirmed
        self._vault = vault
        self._prefix = prefix
        self._swap = redis.register_script(SWAP.read_text())

    def size(self) -> int:
        """About how many keys there are to walk over."""
        return int(self._redis.dbsize())  # type: ignore[arg-type]  # not awaitable: no asyncio

    def walk(self) -> Iterator[Step]:
        """Yields each secret when it is done, and each page of keys."""
        cursor: Any = None
        while cursor != 0:
            answer: Any = self._redis.scan(cursor or 0, match=f"{self._prefix}*", count=PAGE)
            cursor, names = answer
            for name in names:
                yield from self._at(name)
            yield Step("keys", "", PAGE)

    def _at(self, name: str) -> Iterator[Step]:
        if name.startswith(f"{self._prefix}connection:"):
            for field in SECRETS:
                if found := self._reseal(name, field, self._vault.reseal):
                    yield Step("tokens", name, found)
        elif name.startswith(f"{self._prefix}bodies:"):
            fields: Any = self._redis.hkeys(name)
            for field in fields:
                if found := self._reseal(name, field, self._vault.reseal):
                    yield Step("body", name, found)
        elif name.startswith(f"{self._prefix}body:") and (found := self._reseal(name, "", self._with_code_resealed)):
            yield Step("code", name, found)

    def _reseal(self, name: str, field: str, reseal: Callable[[str], str]) -> Resealing | None:
        while True:
            old: Any = self._redis.hget(name, field) if field else self._redis.get(name)
            if not old or (reseal == self._with_code_resealed and not CODE.search(old)):
                return None
            try:
                new = reseal(old)
            except Unsealable:
                return "unopenable"
            if new == old:
                return "already"
            with self._confirmed(self._redis) as client:
                swapped = self._swap(keys=[name], args=[field, old, new], client=client)
            if swapped:
                return "resealed"

    def _with_code_resealed(self, body: str) -> str:
        return CODE.sub(lambda match: f'{match[1]}{self._vault.reseal(match[2])}"', body)
