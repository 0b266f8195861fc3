"""The clients and stores of a process, in groups by use, built once from the settings. Needs no Celery.

The groups that need an HTTP client are loaded when first used, so that what needs only Redis starts quickly.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from redis import Redis

from config import Settings
from config.redis import redis_client
from config.redis_replicas import confirmed_by_replicas
from delivery.consent import scopes_for
from delivery.stopping import Stopping
from delivery.wakeups import wakeup_sender
from moment.events import Integration
from ordering import Ordering
from stores import (
    CompanySettingsStore,
    ConnectionStore,
    ConsentStore,
    Counters,
    ExpenseStore,
    Heartbeats,
    Ledgers,
    LinkStore,
    NameStore,
    RefusedBlanks,
    SessionStore,
    TimelineStore,
    Timetable,
    UsedAccounts,
    VatStore,
    Vault,
)
from stores.audit import AuditLog
from stores.bodies import BodyStore
from stores.charts import Charts
from stores.epoch import Epoch
from stores.feed import FeedStore
from stores.installation import Installation
from stores.jobs import JobStore
from stores.looks import LookStore
from stores.mail_links import MailLinks
from stores.own_writes import OwnWrites
from stores.payments import PaymentStore
from stores.producer_keys import ProducerKeys
from stores.receipts import Receipts
from stores.sign_ins import PendingSignIns
from stores.telemetry import Telemetry
from stores.threads import ThreadStates
from stores.timetable import every, nightly
from stores.transferred import TransferredInvoices
from stores.unknown_fields import UnknownFields
from stores.write_buffer import WriteBuffer
from tasks.flows import EXPENSES, POLLED

LOCKED_ASKED_EVERY: Final = timedelta(minutes=5)

if TYPE_CHECKING:
    from delivery.fortnox_access import FortnoxAccess
    from delivery.leases import LeaseKeeper
    from moment.api import MomentApi
    from moment.files import FileSource


@dataclass(frozen=True)
class Stores:
    """What is stored about companies. A field that is a callable opens the store of one company."""

    audit: AuditLog
    connections: ConnectionStore
    consents: ConsentStore
    company_settings: CompanySettingsStore
    mail_links: MailLinks
    names: NameStore
    producer_keys: ProducerKeys
    ledgers: Ledgers
    payments: Callable[[str, int | None], PaymentStore]
    own_writes: OwnWrites
    looks: Callable[[str], LookStore]
    transferred: Callable[[str, int | None], TransferredInvoices]
    links: Callable[[str, int | None], LinkStore]
    refused_blanks: Callable[[str, int | None], RefusedBlanks]
    used_accounts: Callable[[str], UsedAccounts]
    vat: Callable[[str, int | None], VatStore]
    sessions: SessionStore
    receipts: Receipts
    jobs: JobStore
    sign_ins: PendingSignIns
    charts: Charts

    def expenses(self, company: str) -> ExpenseStore:
        """What is known about the supplier invoices in the company's current ledger."""
        return self.ledgers.store(company, self.connections.ledger(company))


@dataclass(frozen=True)
class MomentAccess:
    """Moment's API and the files it serves."""

    api: "MomentApi"
    files: "FileSource"


@dataclass(frozen=True)
class Polling:
    """When each company is polled, when its supplier invoices are reconciled at night, and when the end of its locked
    period is asked for, where something waits for it.
    """

    flows: Mapping[str, Timetable]  # of each polled flow, by its kind
    nights: Timetable
    locks: Timetable

    @property
    def polls(self) -> Timetable:
        """When supplier invoices are polled."""
        return self.flows[EXPENSES.kind]


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
    polling: Polling
    telemetry: Telemetry
    installation: Installation
    epoch: Epoch
    feed: FeedStore
    stopping: Stopping
    request_report: Callable[[], None]

    @cached_property
    def fortnox(self) -> "FortnoxAccess":
        from delivery.fortnox_access import build_fortnox_access

        connections, counters = self.stores.connections, self.telemetry.counters
        own_writes = self.stores.own_writes
        return build_fortnox_access(self.settings, self.redis, connections, self.ordering, counters, own_writes)

    @cached_property
    def moment(self) -> MomentAccess:
        from moment.api import MomentApi
        from moment.files import FileSource

        url, key = self.settings.moment_api_url, self.settings.moment_api_key
        return MomentAccess(MomentApi(url, key), FileSource(url, key, self.settings.attachment_hosts))

    @cached_property
    def leases(self) -> "LeaseKeeper":
        from delivery.leases import LeaseKeeper

        return LeaseKeeper(self.ordering, self.stopping, self.stores.connections.ledger, self.telemetry.threads)

    def consent_address(self, company: str) -> str | None:
        """The address where a person of the company consents; None where no redirect address is set.

        Its state is not stored: mails are read for longer than a state is good.
        """
        if self.settings.fortnox_redirect_uri is None:
            return None
        connection = self.stores.connections.find(company)
        chosen = connection.integration if connection else Integration()
        state = f"{company}.{secrets.token_urlsafe(12)}"
        return self.fortnox.oauth.authorize_url(state, self.scopes(chosen), service_account=chosen.service_account)

    def scopes(self, integration: Integration) -> tuple[str, ...]:
        """The scopes that a company with these choices is asked for."""
        return scopes_for(integration, self.settings.fortnox_extra_scopes)


def build_services(
    settings: Settings, *, request_report: Callable[[], None] = lambda: None, stopping: Stopping | None = None
) -> Services:
    """Build everything for this process, without opening a connection."""
    # What is no UTF-8 was damaged. It is read as something else, where an error would leave answers on the connection.
    redis = redis_client(settings, decode_responses=True, encoding_errors="backslashreplace")
    vault = Vault(settings.encryption_keys, sandbox=settings.is_sandbox)
    counters = Counters(redis)
    confirmed = confirmed_by_replicas(settings)
    ordering = Ordering(
        redis,
        lease=settings.lease_seconds,
        release_limit=settings.company_release_limit,
        retention=settings.retention_days,
        sender=wakeup_sender(),
        confirmed=confirmed,
    )
    connections = ConnectionStore(redis, vault, confirmed=confirmed)
    threads = ThreadStates(redis, counters)
    return Services(
        settings=settings,
        redis=redis,
        ordering=ordering,
        vault=vault,
        stores=Stores(
            audit=AuditLog(redis),
            connections=connections,
            consents=ConsentStore(redis),
            company_settings=CompanySettingsStore(redis),
            mail_links=MailLinks(redis, settings.encryption_keys, sandbox=settings.is_sandbox),
            names=NameStore(redis),
            producer_keys=ProducerKeys(redis),
            ledgers=Ledgers(redis, confirmed=confirmed),
            payments=partial(PaymentStore, redis),
            own_writes=OwnWrites(redis),
            looks=partial(LookStore, redis),
            transferred=partial(TransferredInvoices, redis, retention=settings.retention_days),
            links=partial(LinkStore, redis, confirmed=confirmed),
            refused_blanks=partial(RefusedBlanks, redis),
            used_accounts=partial(UsedAccounts, redis),
            vat=partial(VatStore, redis),
            sessions=SessionStore(redis),
            receipts=Receipts(redis),
            jobs=JobStore(redis),
            sign_ins=PendingSignIns(redis),
            charts=Charts(redis),
        ),
        polling=Polling(
            flows={
                flow.kind: Timetable(
                    redis, "polls" if flow is EXPENSES else flow.kind, every(settings.expense_poll_interval)
                )
                for flow in POLLED
            },
            nights=Timetable(redis, "nights", nightly),
            locks=Timetable(redis, "locks", every(LOCKED_ASKED_EVERY)),
        ),
        telemetry=Telemetry(
            timeline=TimelineStore(redis, settings.retention_days),
            counters=counters,
            heartbeats=Heartbeats(redis),
            threads=threads,
            unknown_fields=UnknownFields(redis),
            bodies=BodyStore(redis, vault, settings.body_retention_days, settings.retention_days),
            write_buffer=WriteBuffer(redis, threads),
        ),
        installation=Installation(redis),
        epoch=Epoch(redis),
        feed=FeedStore(redis, counters),
        stopping=Stopping() if stopping is None else stopping,
        request_report=request_report,
    )
