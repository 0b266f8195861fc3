"""The clients and stores of a process, in groups by use, built once from the settings. Needs no Celery."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError

from config import Settings
from config.redis import redis_client
from delivery.access_blocks import AccessBlocks, AccessCheckedTransport
from delivery.attempt import count_request, current_attempt
from delivery.leases import LeaseHandle, LeaseKeeper
from delivery.stopping import Stopping
from delivery.tokens import TokenKeeper
from delivery.wakeups import wakeup_sender
from fortnox import Exchange, Fortnox, Http, Limiter, OAuth, Transport
from moment.api import MomentApi
from moment.files import FileSource
from ordering import Ordering
from stores import (
    CompanySettingsStore,
    ConnectionStore,
    Counters,
    ExpenseStore,
    Heartbeats,
    Ledgers,
    LinkStore,
    NameStore,
    TimelineStore,
    Timetable,
    UsedAccounts,
    Vault,
)
from stores.counters import Tally
from stores.telemetry import Telemetry
from stores.threads import ThreadStates
from stores.timetable import every, nightly
from stores.write_buffer import WriteBuffer
from tasks.flows import SCOPES

log = structlog.get_logger(__name__)

NEARLY_ALL = 1_000_000  # slots of the rate limit to leave free: the request then needs an empty window


@dataclass(frozen=True)
class Stores:
    """What is stored about companies. `links` and `used_accounts` open the store of one company."""

    connections: ConnectionStore
    company_settings: CompanySettingsStore
    names: NameStore
    ledgers: Ledgers
    links: Callable[[str, int | None], LinkStore]
    used_accounts: Callable[[str], UsedAccounts]

    def expenses(self, company: str) -> ExpenseStore:
        """What is known about the supplier invoices in the company's current ledger."""
        return self.ledgers.store(company, self.connections.ledger(company))


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


@dataclass(frozen=True)
class MomentAccess:
    """Moment's API and the files it serves."""

    api: MomentApi
    files: FileSource


@dataclass(frozen=True)
class Polling:
    """When each company's supplier invoices are polled, and when they are reconciled at night."""

    polls: Timetable
    nights: Timetable


@dataclass(frozen=True)
class Services:
    """Everything that a process works with. Functions take only the groups that they use.

    `request_report` asks for a round of mails; a lost request only delays the mails.
    """

    settings: Settings
    redis: Redis
    ordering: Ordering
    vault: Vault
    stores: Stores
    fortnox: FortnoxAccess
    moment: MomentAccess
    polling: Polling
    telemetry: Telemetry
    leases: LeaseKeeper
    request_report: Callable[[], None]

    def consent_address(self, company: str) -> str | None:
        """The address where a person of the company consents; None where no redirect address is set."""
        if self.settings.fortnox_redirect_uri is None:
            return None
        connection = self.stores.connections.find(company)
        service = connection is not None and connection.integration.service_account
        return self.fortnox.oauth.authorize_url(f"{company}.{secrets.token_urlsafe(12)}", service_account=service)


def build_services(
    settings: Settings, *, request_report: Callable[[], None] = lambda: None, stopping: Stopping | None = None
) -> Services:
    """Build everything for this process, without opening a connection."""
    redis = redis_client(settings, decode_responses=True)
    vault = Vault(settings.encryption_keys, sandbox=settings.is_sandbox)
    counters = Counters(redis)
    ordering = Ordering(
        redis,
        lease=settings.lease_seconds,
        release_limit=settings.company_release_limit,
        retention=settings.retention_days,
        sender=wakeup_sender(),
    )
    connections = ConnectionStore(redis, vault)
    threads = ThreadStates(redis, counters)
    return Services(
        settings=settings,
        redis=redis,
        ordering=ordering,
        vault=vault,
        stores=Stores(
            connections=connections,
            company_settings=CompanySettingsStore(redis),
            names=NameStore(redis),
            ledgers=Ledgers(redis),
            links=partial(LinkStore, redis),
            used_accounts=partial(UsedAccounts, redis),
        ),
        fortnox=_fortnox(settings, redis, connections, ordering, counters),
        moment=MomentAccess(
            api=MomentApi(settings.moment_api_url, settings.moment_api_key),
            files=FileSource(settings.moment_api_url, settings.moment_api_key, settings.attachment_hosts),
        ),
        polling=Polling(
            polls=Timetable(redis, "polls", every(settings.expense_poll_interval)),
            nights=Timetable(redis, "nights", nightly),
        ),
        telemetry=Telemetry(
            timeline=TimelineStore(redis, settings.retention_days),
            counters=counters,
            heartbeats=Heartbeats(redis),
            threads=threads,
            write_buffer=WriteBuffer(redis, threads),
        ),
        leases=LeaseKeeper(ordering, stopping or Stopping(), connections.ledger, threads),
        request_report=request_report,
    )


def _fortnox(
    settings: Settings, redis: Redis, connections: ConnectionStore, ordering: Ordering, counters: Counters
) -> FortnoxAccess:
    http = Http(on_request=partial(_record_request, redis, counters))
    oauth = OAuth(
        settings.fortnox_auth_url,
        settings.fortnox_client_id,
        settings.fortnox_client_secret,
        redirect_uri=settings.fortnox_redirect_uri,
        scopes=SCOPES,
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
            access_blocks, lease.claim, settings.fortnox_api_url, tokens, http=http, before_request=before_request
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
