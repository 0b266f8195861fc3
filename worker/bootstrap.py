"""Builds the services from settings: the Celery app, and for each process the clients and stores it works with."""

import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from celery import Celery, current_app, signals
from redis import Redis
from redis.exceptions import RedisError

from config import Settings, load_settings
from config.celery import celery_options
from config.logging import configure_logging
from config.redis import redis_client
from delivery.access_blocks import AccessBlocks, AccessCheckedTransport
from delivery.attempt import count_request, current_attempt
from delivery.leases import LeaseHandle, LeaseKeeper
from delivery.services import Services
from delivery.stopping import Stopping
from delivery.tokens import TokenKeeper
from delivery.wakeups import wakeup_sender
from fortnox import Exchange, Fortnox, Http, Limiter, OAuth, Transport
from moment.api import MomentApi
from moment.files import FileSource
from ordering import Ordering
from ordering.engine import UnknownLayout
from stores import (
    CompanySettingsStore,
    ConnectionStore,
    Counters,
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
from stores.timetable import every, nightly
from stores.write_buffer import WriteBuffer
from tasks.flows import KEEP_ALIVE, PROBE, REPORT, SCHEDULE_NIGHT, SCHEDULE_POLLS, TICK
from tasks.schedule import NIGHT_TICK, poll_tick
from worker.broker import outlive_connections
from worker.pump import PumpStep
from worker.stream import StreamStep

log = structlog.get_logger(__name__)

TASK_MODULES = (
    "tasks.customers",
    "tasks.projects",
    "tasks.invoices",
    "tasks.integrations",
    "tasks.keep_alive",
    "tasks.expenses",
    "tasks.schedule",
    "tasks.unreadable",
    "tasks.probing",
    "tasks.receive",
    "tasks.report",
    "worker.heartbeat",
)
REPORT_SCHEDULE = "report"
KEEP_ALIVE_SCHEDULE = "keep-alive"
PROBE_SCHEDULE = "probe"
TICK_SCHEDULE = "tick"
NEARLY_ALL = 1_000_000  # requests of the rate limit's window to be left to others: one may be made in an empty one


def beat_schedule(settings: Settings) -> dict[str, dict[str, object]]:
    """What beat sends. Each message stands for a look at what is due, so a late one is of no use."""
    tick = poll_tick(settings.expense_poll_interval).total_seconds()
    return {
        # Failures ask to be told at once; this is for what a lost message or a dead SMTP server left untold.
        REPORT_SCHEDULE: {"task": REPORT, "schedule": 10.0, "options": {"expires": 10}},
        KEEP_ALIVE_SCHEDULE: {"task": KEEP_ALIVE, "schedule": 60.0, "options": {"expires": 60}},
        # A licence that was bought or a permission that was given makes no event.
        PROBE_SCHEDULE: {"task": PROBE, "schedule": 600.0, "options": {"expires": 600}},
        # Shows that beat and a worker of the transfers are alive, also where there is nothing to do.
        TICK_SCHEDULE: {"task": TICK, "schedule": 60.0, "options": {"expires": 60}},
        "polls": {"task": SCHEDULE_POLLS, "schedule": tick, "options": {"expires": 30}},
        "reconciliations": {"task": SCHEDULE_NIGHT, "schedule": NIGHT_TICK.total_seconds(), "options": {"expires": 60}},
    }


class App(Celery):
    """The Celery app with its services. Each process builds its own: connections do not survive a fork."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("moment-fortnox", set_as_current=True)
        outlive_connections()
        self.settings = settings
        self.stopping = Stopping()  # made before the pool's processes are forked, so that they share it
        self.conf.update(celery_options(settings), imports=TASK_MODULES, beat_schedule=beat_schedule(settings))
        self.steps["consumer"].update((PumpStep, StreamStep))
        self._services: Services | None = None
        self._services_pid = 0
        self._building = threading.Lock()

    @property
    def services(self) -> Services:
        with self._building:
            if self._services is None or self._services_pid != os.getpid():
                self._services, self._services_pid = build_services(self), os.getpid()
            return self._services

    @property
    def redis_address(self) -> str:
        """Where Redis is, without a password."""
        url = urlsplit(self.settings.redis_url.get_secret_value())
        return f"{url.hostname}:{url.port or 6379}{url.path}"


def create_app(settings: Settings | None = None) -> App:
    """The app for these settings, or for the environment's. Raises `pydantic.ValidationError`."""
    return App(settings or load_settings())


def build_services(app: App) -> Services:
    """Everything a task needs. Opens no connection yet."""
    settings = app.settings
    redis = redis_client(settings, decode_responses=True)
    vault = Vault(settings.encryption_keys)
    connections = ConnectionStore(redis, vault)
    counters = Counters(redis)
    http = Http(on_request=partial(_note_request, redis, counters))
    oauth = OAuth(
        settings.fortnox_auth_url,
        settings.fortnox_client_id,
        settings.fortnox_client_secret,
        redirect_uri=settings.fortnox_redirect_uri,
        http=http,
    )
    ordering = Ordering(
        redis,
        lease=settings.lease_seconds,
        release_limit=settings.company_release_limit,
        retention=settings.retention_days,
        sender=wakeup_sender(),
    )

    def revived(company: str) -> None:
        ordering.resume(company)

    tokens = TokenKeeper(redis, connections, oauth, revived=revived)
    access_blocks = AccessBlocks(redis, ordering)
    limiter = Limiter(redis_client(settings), settings.fortnox_rate_limit)

    def fortnox(lease: LeaseHandle, leave: int = 0) -> Fortnox:
        def before_request(company: str, leave: int) -> None:
            if leave and _others_are_due(ordering.counts(company)):
                leave = NEARLY_ALL
            limiter.acquire(company, leave)
            lease.check()  # last, so that as little time as can be lies between it and the request

        transport = AccessCheckedTransport(
            access_blocks, lease.claim, settings.fortnox_api_url, tokens, http=http, before_request=before_request
        )
        return Fortnox(transport, lease.claim.company, leave=leave)

    def reading(company: str) -> Fortnox:
        # A person's question is answered on the terminal: no log comes between.
        transport = Transport(settings.fortnox_api_url, tokens, before_request=limiter.acquire)
        return Fortnox(transport, company)

    return Services(
        app=app,
        settings=settings,
        redis=redis,
        ordering=ordering,
        vault=vault,
        connections=connections,
        company_settings=CompanySettingsStore(redis),
        oauth=oauth,
        tokens=tokens,
        leases=LeaseKeeper(ordering, app.stopping, connections.ledger),
        access_blocks=access_blocks,
        fortnox=fortnox,
        reading=reading,
        check_capacity=limiter.check,
        moment=MomentApi(settings.moment_api_url, settings.moment_api_key),
        files=FileSource(settings.moment_api_url, settings.moment_api_key, settings.attachment_hosts),
        links=partial(LinkStore, redis),
        used_accounts=partial(UsedAccounts, redis),
        ledgers=Ledgers(redis),
        polls=Timetable(redis, "polls", every(settings.expense_poll_interval)),
        nights=Timetable(redis, "nights", nightly),
        names=NameStore(redis),
        timeline=TimelineStore(redis, settings.retention_days),
        counters=counters,
        heartbeats=Heartbeats(redis),
        write_buffer=WriteBuffer(redis),
    )


def _others_are_due(counts: Mapping[str, int]) -> bool:
    """Whether the company has transfers ready or running beside whoever asks."""
    return counts["ready"] + counts["running"] > 1


def _note_request(redis: Redis, counters: Counters, exchange: Exchange) -> None:
    """For the log, and for the attempt that made the request; one outside any attempt is counted at once."""
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


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Celery's programs log as the rest of the system does; connecting here switches Celery's own set-up off."""
    configure_logging(load_settings())


@signals.worker_shutting_down.connect
def _hand_back(**_: Any) -> None:
    """What runs ends at its next request and goes on in another worker: nothing waits for a lease to lapse."""
    cast(App, current_app).stopping.set()


@signals.worker_process_shutdown.connect
def _write_notes(**_: Any) -> None:
    """A pool's process that ends writes what it has gathered."""
    cast(App, current_app).services.write_buffer.flush()


DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


@signals.celeryd_init.connect
def _check_redis(instance: Any = None, **_: Any) -> None:
    """At a worker's start: refuses another version's state, warns where an accepted event could be lost."""
    services = instance.app.services
    try:
        services.ordering.check_layout()
    except UnknownLayout as error:
        raise SystemExit(f"error: {error}") from None  # Celery swallows any other exception of a signal's receiver
    for name, wanted in DURABLE.items():
        found = services.redis.config_get(name).get(name)
        if found != wanted:
            log.warning("redis.not_durable", setting=name, found=found, wanted=wanted)
