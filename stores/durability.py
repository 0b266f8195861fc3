"""Whether Redis keeps what it accepted, as far as it shows: by `CONFIG`, and by `INFO` where `CONFIG` is refused."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from redis import Redis
from redis.exceptions import ResponseError

# With these settings Redis loses nothing that it has accepted.
WANTED: Final = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
IN_INFO: Final = {"appendonly": "aof_enabled", "maxmemory-policy": "maxmemory_policy"}  # nothing tells appendfsync
SECTIONS: Final = ("persistence", "memory")


class Fault(NamedTuple):
    """A setting with which Redis may lose what it accepted."""

    setting: str
    found: str
    wanted: str


class Durability(NamedTuple):
    """`unverified`: settings that Redis does not show."""

    faults: tuple[Fault, ...]
    unverified: tuple[str, ...]


def read_durability(redis: Redis) -> Durability:
    """Raises `RedisError` where Redis is away."""
    return judge(_config(redis), _info(redis))


def judge(config: Mapping[str, object], info: Mapping[str, object]) -> Durability:
    """`config` wins; a setting that it lacks is taken from `info`. Pure."""
    found = {name: str(config[name]) if name in config else _from_info(name, info) for name in WANTED}
    return Durability(
        tuple(Fault(name, value, WANTED[name]) for name, value in found.items() if value not in ("", WANTED[name])),
        tuple(name for name, value in found.items() if not value),
    )


def _from_info(name: str, info: Mapping[str, object]) -> str:
    found = str(info.get(IN_INFO.get(name, ""), ""))
    return {"0": "no", "1": "yes"}.get(found, found) if name == "appendonly" else found


def _config(redis: Redis) -> dict[str, object]:
    found: dict[str, object] = {}
    try:
        for name in WANTED:
            found |= redis.config_get(name)  # type: ignore[arg-type]  # not awaitable: no asyncio
    except ResponseError:
        pass  # a hosted Redis keeps its settings to itself
    return found


def _info(redis: Redis) -> dict[str, object]:
    found: dict[str, object] = {}
    try:
        for section in SECTIONS:
            found |= redis.info(section)  # type: ignore[arg-type]
    except ResponseError:
        pass  # this user may not ask
    return found
