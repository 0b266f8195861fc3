"""Access tokens of all companies: read from the store, renewed by one holder at a time across all processes.

What can go wrong with a token that works once, and what is done about it:

- two want to renew: the lease in Redis lets one; the others use what is still good, or wait for it;
- the holder is stopped for longer than its lease: the store refuses to let its pair take a newer one's place, and
  keeps it aside, as it may be the one that works; where the newer one is dead by then, it takes its place;
- Fortnox says `invalid_grant`: the store is read again before that is believed;
- the answer is lost on its way, or cannot be read: asked again at once, which Fortnox takes for a simultaneous refresh;
- Redis is away when the new pair comes: storing it is tried again, and nobody uses it before;
- a time limit ends the task: the renewal is a thread of its own, which Celery's soft limit does not interrupt.

What is left: a process killed between Fortnox's answer and the store (docs/connections.md).
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

LEASE = timedelta(seconds=10)  # kept while its holder lives; others take over this long after it died
PATIENCE = timedelta(seconds=5)  # then the transfer gives its slot back, and comes again
LOOK_EVERY = 0.02  # seconds; a renewal takes about 0.7 s
SLOWEST = timedelta(seconds=200)  # a renewal that nobody waits for any more: the HTTP client's time-outs, and some
TRY_TO_STORE = 90.0  # seconds; a pair that is not stored is lost
REST = 1.0  # seconds until a transfer that found no token comes again


class TokenKeeper:
    """Gives out access tokens. Implements `fortnox.transport.TokenSource`.

    `revived` is told of a company whose grant was believed dead and is not.
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
        """A token that is good for a while. Raises `NeverConnected` or a `FortnoxError`."""
        held = self._held(company)
        if held.due:
            held = self._renewed_ahead(company, held)
        return held.tokens.access_token.get_secret_value()

    def renew(self, company: str, rejected_token: str) -> str:
        """Another token than the rejected one: somebody else's newer one, or a fresh one."""
        held = self._held(company)
        if held.tokens.access_token.get_secret_value() == rejected_token:
            held = self._renewed(company, held)
        return held.tokens.access_token.get_secret_value()

    def keep_alive(self, company: str) -> None:
        """Exchanges the refresh token, whether the access token is due or not."""
        self._renewed(company, self._held(company))

    def end(self, company: str, version: Version) -> bool:
        """Revokes the refresh token of this grant where there is one, and forgets its tokens, whatever Fortnox says.

        False where Fortnox did not say that the consent has ended by that. Waits for a renewal that is under way; a
        newer grant stays.
        """
        lock = self._lock(company)
        if not lock.acquire(blocking=True, blocking_timeout=self._patience):
            raise _busy()
        return self._holding(lock, partial(self._end, company, version.grant))

    def _end(self, company: str, grant: int) -> bool:
        ended = True
        while (version := self._store.version(company)) is not None and version.grant == grant:
            ended = self._revoked(company)
            self._store.forget_tokens(company, version)  # unless it was renewed: then the newer one is revoked as well
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
        """Newer tokens than those seen; those, while they are good and Fortnox gives no others."""
        try:
            return self._renewed(company, seen, usable=not seen.over)
        except e.Transient:
            held = self._held(company)
            if held.over:
                raise
            return held

    def _renewed(self, company: str, seen: StoredTokens, *, usable: bool = False) -> StoredTokens:
        """Newer tokens than those seen, by us or by whoever is at it; `usable` ones serve while somebody is."""
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
        """Works in a thread, keeping the lease. Whatever ends the waiting does not end the work."""
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
            return held  # somebody else renewed it while we waited
        if held.dead:
            raise e.GrantDead(e.Details("POST", TOKEN_PATH, situation="grant-dead"))
        try:
            grant = self._ask(company, held.tokens)
        except e.GrantDead as refusal:
            return self._refused(company, held, refusal)
        except e.OutcomeUnknown as error:  # unknown is what became of the token; no transfer has begun
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
            # Fortnox may have exchanged the token, whatever became of its answer: a repeat this close is simultaneous.
            log.warning("token.asked_again", company=company)
            return self._oauth.refresh(tokens.refresh_token, company=company)

    def _refused(self, company: str, asked: StoredTokens, refusal: e.GrantDead) -> StoredTokens:
        """`invalid_grant` is also what a token says that somebody else has exchanged."""
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
    """What is stored of a grant. Where Fortnox sends no new refresh token, the one before stays."""
    return Tokens(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or (before.refresh_token if before else None),
        lifetime=max(grant.expires_at - datetime.now(UTC), timedelta(0)),
    )


def _busy() -> e.Throttled:
    """Somebody else renews the token, and it takes long: nothing was sent."""
    return e.Throttled(e.Details("POST", TOKEN_PATH), REST)


def _extend(lock: Lock, seconds: float) -> None:
    # A holder that was stopped has lost its lease: the store's versions decide then. So do they where Redis is away.
    with suppress(LockError, RedisError):
        lock.extend(seconds, replace_ttl=True)


def _release(lock: Lock) -> None:
    with suppress(LockError, RedisError):
        lock.release()
