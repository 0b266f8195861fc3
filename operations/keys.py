"""The keys that seal secrets at rest: making one, and sealing everything anew with the first."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.fernet import Fernet

from config.redis_replicas import confirmed_by_replicas
from delivery.services import Services
from operations.audit import Actor, audited
from stores import KeyCheck
from stores.rotation import Rotation


@dataclass(frozen=True)
class Resealed:
    """How many secrets of each kind ended in which way, and the Redis keys of those that no key opens."""

    counts: Counter[tuple[str, object]]
    unopenable: list[str]


def new_key() -> str:
    """A random key for `ENCRYPTION_KEYS`."""
    return Fernet.generate_key().decode()


Count = Callable[[int], object]


@audited("keys.rotated")
def rotate(
    services: Services, start: Count = lambda n: None, advance: Count = lambda n: None, *, by: Actor
) -> Resealed:
    """Seal all tokens and codes with the first key. `start` gets the number of keys in Redis, `advance` each page's.

    From then on `ENCRYPTION_KEYS` are the keys of this installation, whatever they were.
    """
    rotation = Rotation(services.redis, services.vault, confirmed=confirmed_by_replicas(services.settings))
    resealed = Resealed(Counter(), [])
    start(rotation.size())
    for step in rotation.walk():
        if step.kind == "keys":
            advance(int(step.found))
            continue
        resealed.counts[step.kind, step.found] += 1
        if step.found == "unopenable":
            resealed.unopenable.append(step.name)
    KeyCheck(services.redis, services.vault).renew()
    return resealed
