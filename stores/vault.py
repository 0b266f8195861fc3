"""Secrets at rest: sealed with the first of `ENCRYPTION_KEYS`, opened with any of them. Pure. No I/O."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

# Protects nothing: the local sandbox has no secrets, and Settings requires real keys everywhere else.
SANDBOX_KEY = "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0="


class Unsealable(RuntimeError):
    """A stored secret was sealed with a key that is no longer among `ENCRYPTION_KEYS`."""

    def __str__(self) -> str:
        return (
            "a stored secret cannot be opened: the key that sealed it is not among ENCRYPTION_KEYS. "
            "Add the old key after the new one, or connect the company again."
        )


class Vault:
    """Seals and opens short secrets."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        secrets = [key.get_secret_value() for key in keys] or [SANDBOX_KEY]
        fernets = [Fernet(secret) for secret in secrets]
        self._fernet, self._first = MultiFernet(fernets), fernets[0]

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises `Unsealable` if no key fits."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unsealable from None

    def reseal(self, sealed: str) -> str:
        """The secret sealed with the first key; unchanged if it is already. Raises `Unsealable`."""
        try:
            self._first.decrypt(sealed.encode())
        except InvalidToken:
            return self.seal(self.open(sealed))
        return sealed
