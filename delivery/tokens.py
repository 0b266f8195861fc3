"""Access tokens of all companies: read from the store, renewed by one process at a time.

A refresh token works once. What can go wrong with it, and what is done:

- Two processes want to renew: a lease in Redis lets one. The others use the old token while it is valid, or wait.
- The renewing process is stopped for longer than its lease: the store does not let its pair replace a newer one, and
  keeps it as a spare. If the newer pair turns out to be dead, the spare replaces it.
- Fortnox says `invalid_grant`: the store is read again before that is believed.
- Fortnox's answer is lost or unreadable: the request is repeated at once; Fortnox treats that as a simultaneous
  refresh.
- Redis is down when the new pair arrives: storing it is tried again, and nobody uses the pair before.
- A time limit ends the task: the renewal runs in a thread of its own, which Celery's soft limit does not interrupt.

What remains: a process killed between Fortnox's answer and the store (docs/connections.md).
"""

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import LockError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.lock import Lock

from fortnox import errors as e
from fortnox.oauth import TOKEN_PATH, Grant, OAuth
from stores import ConnectionStore, NeverConnected, StoredTokens, Tokens, Version
from stores.locks import Locks
from stores.vault import Unsealable

T = TypeVar("T")

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=10)  # renewed while its holder lives; others take over this long after its death
PATIENCE = timedelta(seconds=5)  # then the transfer is released, and tried again
LOOK_EVERY = 0.02  # seconds; a renewal takes about 0.7 s
SLOWEST = timedelta(seconds=200)  # a renewal that nobody waits for: more than the HTTP client's time-outs
TRY_TO_STORE = 90.0  # seconds; an unstored pair is lost
REST = 1.0  # seconds until a transfer without a token is tried again


class TokenKeeper:
    """Implements `fortnox.transport.TokenSource`.

    `revived` is called with a company whose grant was believed to be dead and is not.
    """

    def __init__(
        self,
        redis: Redis,
        store: ConnectionStore,
        oauth: OAuth,
        *,
        revived: Callable[[str], None] = lambda _: None,
        lease: timedelta = LEASE,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._redis = redis
        self._store = store
        self._oauth = oauth
        self._revived = revived
        self._lease = lease.total_seconds()
        self._patience = patience.total_seconds()

    def access_token(self, company: str) -> str:
        """A token that is valid for a while. Raises `NeverConnected` or a `FortnoxError`."""
        held = self._held(company)
        if held.due:
            held = self._renewed_ahead(company, held)
        return held.tokens.access_token.get_secret_value()

    def renew(self, company: str, rejected_token: str) -> str:
        """Another token than the rejected one: one that was renewed meanwhile, or a new one."""
        held = self._held(company)
        if held.tokens.access_token.get_secret_value() == rejected_token:
            held = self._renewed(company, held)
        return held.tokens.access_token.get_secret_value()

    def keep_alive(self, company: str) -> None:
        """Exchange the refresh token, whether or not the access token is due."""
        self._renewed(company, self._held(company))

    def end(self, company: str, version: Version) -> bool:
        """Revoke this grant's refresh token, if there is one, and delete its tokens, whatever Fortnox answers.

        Return False where Fortnox did not confirm that the consent has ended. Waits for a running renewal. A newer
        grant stays.
        """
        lock = self._lock(company)
        if not lock.acquire(blocking=True, blocking_timeout=self._patience):
            raise _busy()
        return self._holding(lock, partial(self._end, company, version.grant))

    def _end(self, company: str, grant: int) -> bool:
        ended = True
        while (version := self._store.version(company)) is not None and version.grant == grant:
            ended = self._revoked(company)
            self._store.forget_tokens(company, version)  # unless renewed meanwhile: then the newer one is revoked too
        return ended

    def _revoked(self, company: str) -> bool:
        try:
            held = self._held(company)
            token = held.tokens.refresh_token
            return token is None or self._oauth.revoke(token, company=company) or held.dead
        except (e.GrantDead, e.Rejected) as refusal:
            log.warning("token.not_revoked", company=company, error_code=refusal.code or None)
            return held.dead
        except Unsealable:
            log.warning("token.not_revoked", company=company, error="Unsealable")
            return False

    def _held(self, company: str) -> StoredTokens:
        held = self._store.held(company)
        if held is None:
            raise NeverConnected(company)
        return held

    def _lock(self, company: str) -> Lock:
        return Locks(self._redis).renewal(company, self._lease)

    def _renewed_ahead(self, company: str, seen: StoredTokens) -> StoredTokens:
        """Newer tokens than `seen`; `seen` itself while it is valid and Fortnox gives no others."""
        try:
            return self._renewed(company, seen, usable=not seen.over)
        except e.Transient:
            held = self._held(company)
            if held.over:
                raise
            return held

    def _renewed(self, company: str, seen: StoredTokens, *, usable: bool = False) -> StoredTokens:
        """Newer tokens than `seen`, renewed here or by another process; a `usable` one serves while another renews."""
        lock = self._lock(company)
        deadline = time.monotonic() + self._patience
        while not lock.acquire(blocking=False):
            held = self._held(company)
            if held.version != seen.version or (usable and not held.over):
                return held
            if time.monotonic() > deadline:
                raise _busy()
            time.sleep(LOOK_EVERY)
        return self._holding(lock, partial(self._renew, company, seen))

    def _holding(self, lock: Lock, work: Callable[[], T]) -> T:
        """Run `work` in a thread and keep the lease meanwhile. Ending the wait does not end the work."""
        executor = ThreadPoolExecutor(1, thread_name_prefix="renewal")
        renewal = executor.submit(contextvars.copy_context().run, work)
        executor.shutdown(wait=False)
        try:
            while not wait([renewal], timeout=self._lease / 3).done:
                _extend(lock, self._lease)
            return renewal.result()
        finally:
            if renewal.done():
                _release(lock)
            else:
                _extend(lock, SLOWEST.total_seconds())
                renewal.add_done_callback(lambda _: _release(lock))

    def _renew(self, company: str, seen: StoredTokens) -> StoredTokens:
        held = self._held(company)
        if held.version != seen.version:
            return held  # renewed by another process while this one waited
        if held.dead:
            raise e.GrantDead(e.Details("POST", TOKEN_PATH, situation="grant-dead"))
        try:
            grant = self._ask(company, held.tokens)
        except e.GrantDead as refusal:
            return self._refused(company, held, refusal)
        except e.OutcomeUnknown as error:  # of the token; no transfer has started
            raise e.Unavailable(error.details) from None
        self._keep(company, held, to_tokens(grant, held.tokens))
        return self._held(company)

    def _ask(self, company: str, tokens: Tokens) -> Grant:
        if tokens.refresh_token is None:
            tenant_id = self._store.get(company).tenant_id
            if tenant_id is None:
                raise NeverConnected(company)
            return self._oauth.client_credentials(tenant_id, company=company)
        try:
            return self._oauth.refresh(tokens.refresh_token, company=company)
        except e.OutcomeUnknown:
            # Fortnox may have exchanged the token and lost its answer: so soon, a repeat counts as simultaneous.
            log.warning("token.asked_again", company=company)
            return self._oauth.refresh(tokens.refresh_token, company=company)

    def _refused(self, company: str, asked: StoredTokens, refusal: e.GrantDead) -> StoredTokens:
        """Fortnox also answers `invalid_grant` for a token that another process has exchanged."""
        while True:
            held = self._held(company)
            if held.version != asked.version:
                return held
            if self._store.promote_spare(company, held.version):
                log.warning("token.spare_used", company=company)
                return self._renew(company, self._held(company))
            if self._store.mark_dead(company, held.version):
                raise refusal

    def _keep(self, company: str, based_on: StoredTokens, tokens: Tokens) -> None:
        deadline = time.monotonic() + TRY_TO_STORE
        while True:
            try:
                kept = self._store.renewed(company, based_on.version, tokens)
                break
            except (RedisConnectionError, RedisTimeoutError) as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("token.waits_for_redis", company=company, error=type(error).__name__)
                time.sleep(0.5)
        log.info("token.renewed", company=company, kept=kept)
        if kept == "revived":
            self._revived(company)


def to_tokens(grant: Grant, before: Tokens | None = None) -> Tokens:
    """The tokens to store for a grant. Where Fortnox sends no new refresh token, the old one stays."""
    return Tokens(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or (before.refresh_token if before else None),
        lifetime=max(grant.expires_at - datetime.now(UTC), timedelta(0)),
    )


def _busy() -> e.Throttled:
    """Another process renews the token and takes long. Nothing was sent."""
    return e.Throttled(e.Details("POST", TOKEN_PATH), REST)


def _extend(lock: Lock, seconds: float) -> None:
    # A process that was stopped has lost its lease; then, and while Redis is down, the store's versions decide.
    with suppress(LockError, RedisError):
        lock.extend(seconds, replace_ttl=True)


def _release(lock: Lock) -> None:
    with suppress(LockError, RedisError):
        lock.release()
