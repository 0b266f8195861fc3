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


class KeyMissing(RuntimeError):
    """There is a secret to seal or open, and no `ENCRYPTION_KEYS`."""

    def __str__(self) -> str:
        return "ENCRYPTION_KEYS is not set, and the event holds an authorization code, which is never kept in clear."


class Vault:
    """Seals and opens short secrets. Every method raises `KeyMissing` where there are no keys.

    In a `sandbox` a key of its own stands in for missing ones.
    """

    def __init__(self, keys: Sequence[SecretStr], *, sandbox: bool = True) -> None:
        secrets = [key.get_secret_value() for key in keys] or ([SANDBOX_KEY] if sandbox else [])
        self._fernets = [Fernet(secret) for secret in secrets]

    @property
    def _fernet(self) -> MultiFernet:
        if not self._fernets:
            raise KeyMissing
        return MultiFernet(self._fernets)

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
            MultiFernet(self._fernets[:1]).decrypt(sealed.encode())
        except (InvalidToken, ValueError):  # ValueError: no keys
            return self.seal(self.open(sealed))
        return sealed
