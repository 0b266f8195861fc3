"""A company's connection: its choices in clear, its tokens sealed. One hash a company: `connection:<company>`."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr
from redis import Redis

from moment.events import Integration
from worker.stores.vault import Vault

State = Literal["connected", "paused", "disabled"]


class NeverConnected(RuntimeError):
    """The company has no connection to Fortnox."""

    def __init__(self, company: str) -> None:
        super().__init__(company)
        self.company = company

    def __str__(self) -> str:
        return (
            f"{self.company} is not connected to Fortnox. Enable the integration in Moment, or run "
            f"`moment-fortnox companies connect {self.company}`."
        )


class Tokens(BaseModel):
    """A grant's tokens. With a service account there is no refresh token: the tenant id gets a new one."""

    model_config = ConfigDict(frozen=True)

    access_token: SecretStr
    expires_at: datetime
    refresh_token: SecretStr | None = None

    def expired(self, now: datetime) -> bool:
        return now >= self.expires_at


class Connection(BaseModel):
    """What a company chose, and which ledger it is. No secrets."""

    model_config = ConfigDict(frozen=True)

    company: str
    state: Literal["connected", "disabled"]
    tenant_id: int | None = None
    integration: Integration
    connected_at: datetime


class ConnectionStore:
    """Connections of all companies."""

    def __init__(self, redis: Redis, vault: Vault, prefix: str = "mf:") -> None:
        self._redis = redis
        self._vault = vault
        self._prefix = prefix

    def get(self, company: str) -> Connection:
        """Raises `NeverConnected`."""
        found: Any = self._redis.hget(self._key(company), "connection")
        if found is None:
            raise NeverConnected(company)
        return Connection.model_validate_json(found)

    def find(self, company: str) -> Connection | None:
        try:
            return self.get(company)
        except NeverConnected:
            return None

    def save(self, connection: Connection) -> None:
        self._redis.hset(self._key(connection.company), "connection", connection.model_dump_json(by_alias=True))

    def tokens(self, company: str) -> Tokens | None:
        found: Any = self._redis.hmget(self._key(company), ["access", "expires", "refresh"])
        access, expires, refresh = found
        if access is None:
            return None
        return Tokens(
            access_token=SecretStr(self._vault.open(access)),
            expires_at=datetime.fromtimestamp(float(expires), UTC),
            refresh_token=SecretStr(self._vault.open(refresh)) if refresh else None,
        )

    def save_tokens(self, company: str, tokens: Tokens) -> None:
        """Stores a new pair, before its first use."""
        fields: dict[Any, Any] = {
            "access": self._vault.seal(tokens.access_token.get_secret_value()),
            "expires": str(tokens.expires_at.timestamp()),
            "refresh": self._vault.seal(tokens.refresh_token.get_secret_value()) if tokens.refresh_token else "",
        }
        self._redis.hset(self._key(company), mapping=fields)

    def forget_tokens(self, company: str) -> None:
        self._redis.hdel(self._key(company), "access", "expires", "refresh")

    def _key(self, company: str) -> str:
        return f"{self._prefix}connection:{company}"
