"""Access tokens of all companies: read from the store, renewed by one holder at a time across all processes."""

from datetime import UTC, datetime, timedelta

import structlog
from redis import Redis

from fortnox.oauth import Grant, OAuth
from worker.stores import ConnectionStore, NeverConnected, Tokens

log = structlog.get_logger(__name__)

AHEAD = timedelta(minutes=2)  # renewed this long before it expires, so that no request meets the end of it
REFRESHING = timedelta(seconds=60)  # a refresh takes 0.7 s; Fortnox may be slow, and must not be asked twice


class TokenKeeper:
    """Gives out access tokens. Implements `fortnox.transport.TokenSource`."""

    def __init__(self, redis: Redis, store: ConnectionStore, oauth: OAuth) -> None:
        self._redis = redis
        self._store = store
        self._oauth = oauth

    def access_token(self, company: str) -> str:
        """A token that is good for a while. Raises `NeverConnected` or `GrantDead`."""
        tokens = self._store.tokens(company)
        if tokens is None:
            raise NeverConnected(company)
        if tokens.expired(datetime.now(UTC) + AHEAD):
            tokens = self._renewed(company, tokens)
        return tokens.access_token.get_secret_value()

    def renew(self, company: str, rejected_token: str) -> str:
        """Another token than the rejected one: somebody else's newer one, or a fresh one."""
        tokens = self._store.tokens(company)
        if tokens is None:
            raise NeverConnected(company)
        if tokens.access_token.get_secret_value() == rejected_token:
            tokens = self._renewed(company, tokens)
        return tokens.access_token.get_secret_value()

    def _renewed(self, company: str, seen: Tokens) -> Tokens:
        with self._redis.lock(f"mf:renewing:{company}", timeout=REFRESHING.total_seconds(), blocking_timeout=90):
            tokens = self._store.tokens(company)
            if tokens is None:
                raise NeverConnected(company)
            if tokens.access_token != seen.access_token:
                return tokens  # somebody else renewed it while we waited
            renewed = self._ask(company, tokens)
            self._store.save_tokens(company, renewed)
            return renewed

    def _ask(self, company: str, tokens: Tokens) -> Tokens:
        if tokens.refresh_token is not None:
            return to_tokens(self._oauth.refresh(tokens.refresh_token, company=company))
        tenant_id = self._store.get(company).tenant_id
        if tenant_id is None:
            raise NeverConnected(company)
        return to_tokens(self._oauth.client_credentials(tenant_id, company=company))


def to_tokens(grant: Grant) -> Tokens:
    return Tokens(access_token=grant.access_token, expires_at=grant.expires_at, refresh_token=grant.refresh_token)
