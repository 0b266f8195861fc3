"""Access to Fortnox: the company's ledger for a transfer or for a person's question, tokens, and the rate limit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError

from config import Settings
from config.redis import redis_client
from delivery.access_blocks import AccessBlocks, AccessCheckedTransport
from delivery.attempt import count_request, current_attempt
from delivery.leases import LeaseHandle
from delivery.own_writes import note_write
from delivery.tokens import TokenKeeper
from fortnox.client import Fortnox
from fortnox.limiter import Limiter
from fortnox.oauth import OAuth
from fortnox.transport import Exchange, Http, Transport, Write
from ordering import Ordering
from stores import ConnectionStore, Counters
from stores.counters import Tally
from stores.own_writes import OwnWrites

log = structlog.get_logger(__name__)

NEARLY_ALL: Final = 1_000_000  # slots of the rate limit to leave free: the request then needs an empty window


class OpenLedger(Protocol):
    def __call__(self, lease: LeaseHandle, leave: int = 0) -> Fortnox:
        """The ledger of the lease's company. Requests keep `leave` slots of the rate limit free for others, and nearly
        all while the company has transfers due.
        """


@dataclass(frozen=True)
class FortnoxAccess:
    """Access to Fortnox.

    `open` gives the holder of a lease the company's ledger; `read` gives it for a person's question, without a lease.
    `check_capacity` raises `WindowFull` where the rate limit has no capacity for a request of the company now.
    """

    open: OpenLedger
    read: Callable[[str], Fortnox]
    check_capacity: Callable[[str], None]
    oauth: OAuth
    tokens: TokenKeeper
    access_blocks: AccessBlocks


def build_fortnox_access(
    settings: Settings,
    redis: Redis,
    connections: ConnectionStore,
    ordering: Ordering,
    counters: Counters,
    own_writes: OwnWrites,
) -> FortnoxAccess:
    """Build it without opening a connection."""
    on_change = partial(note_write, own_writes) if settings.fortnox_feed_url else None
    http = Http(on_request=partial(_record_request, redis, counters))
    oauth = OAuth(
        settings.fortnox_auth_url,
        settings.fortnox_client_id,
        settings.fortnox_client_secret,
        redirect_uri=settings.fortnox_redirect_uri,
        http=http,
    )

    def revived(company: str) -> None:
        ordering.resume(company)

    tokens = TokenKeeper(redis, connections, oauth, revived=revived)
    access_blocks = AccessBlocks(redis, ordering)
    limiter = Limiter(redis_client(settings), settings.fortnox_rate_limit)

    def open_ledger(lease: LeaseHandle, leave: int = 0) -> Fortnox:
        def before_request(company: str, leave: int) -> None:
            if leave and _others_are_due(ordering.counts(company)):
                leave = NEARLY_ALL
            limiter.acquire(company, leave)
            lease.check()  # last, to be as close to the request as possible

        transport = AccessCheckedTransport(
            access_blocks,
            lease.claim,
            settings.fortnox_api_url,
            tokens,
            http=http,
            before_request=before_request,
            on_write=_record_write,
            on_change=on_change,
        )
        return Fortnox(transport, lease.claim.company, leave=leave)

    def read_ledger(company: str) -> Fortnox:
        # A person's question is answered where it is asked, so its requests are not logged.
        transport = Transport(settings.fortnox_api_url, tokens, before_request=limiter.acquire)
        return Fortnox(transport, company)

    return FortnoxAccess(open_ledger, read_ledger, limiter.check, oauth, tokens, access_blocks)


def _others_are_due(counts: Mapping[str, int]) -> bool:
    """Whether the company has transfers ready or running besides the current one."""
    return counts["ready"] + counts["running"] > 1


def _record_write(write: Write) -> None:
    """Add a write to the attempt that made it."""
    if attempt := current_attempt():
        attempt.wrote(write)


def _record_request(redis: Redis, counters: Counters, exchange: Exchange) -> None:
    """Log a request and add it to the attempt that made it; without an attempt, count it at once."""
    log.info(
        "fortnox.request",
        company=exchange.company,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        error_code=exchange.code or None,
        seconds=round(exchange.seconds, 3),
        request_id=exchange.request_id,
    )
    if attempt := current_attempt():
        attempt.requested(exchange)
        return
    tally = Tally()
    count_request(tally, exchange)
    try:
        with redis.pipeline(transaction=False) as pipeline:
            counters.add(pipeline, tally)
            pipeline.execute()
    except RedisError as error:
        log.warning("request.not_counted", error=type(error).__name__)
