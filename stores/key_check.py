"""Tells whether `ENCRYPTION_KEYS` are the keys with which this Redis was filled: the sealed text `key-check`."""

from redis import Redis

from ordering.queries import PREFIX
from stores.vault import Unsealable, Vault

TEXT = "the keys of this installation"


class WrongKeys(RuntimeError):
    """What is stored was sealed with keys that are not among `ENCRYPTION_KEYS`."""

    def __str__(self) -> str:
        return (
            "ENCRYPTION_KEYS: none of them is the key with which the tokens in this Redis were sealed. Add that key "
            "after the new one. If it is lost, run `moment-fortnox keys rotate` and connect every company again."
        )


class KeyCheck:
    """The check of one installation."""

    def __init__(self, redis: Redis, vault: Vault, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._vault = vault
        self._key = f"{prefix}key-check"

    def start(self) -> None:
        """Check the keys of a worker that starts. The first to start stores the text. Raises `WrongKeys`."""
        if not self._redis.exists(self._key):
            self._redis.set(self._key, self._vault.seal(TEXT), nx=True)
        self.check()

    def check(self) -> None:
        """Raises `WrongKeys` where the stored text cannot be opened."""
        if sealed := self._redis.get(self._key):
            try:
                self._vault.open(str(sealed))
            except Unsealable:
                raise WrongKeys from None

    def renew(self) -> None:
        """Store the text sealed with the first key: from now on these are the keys."""
        self._redis.set(self._key, self._vault.seal(TEXT))
