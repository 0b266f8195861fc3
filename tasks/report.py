"""The Celery task `mail.report`: one round of mails. Each failure asks for one, and beat does every 10 s."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from celery import Task, shared_task
from redis.exceptions import LockError

from config import Settings
from delivery.services import Services
from mails.asked_links import AskedLinks
from mails.audience import Audience
from mails.dispatcher import ROUND, Dispatcher
from mails.links import links_for
from mails.loss_mails import LossMails
from mails.mailer import DeferredMails, Mailer
from mails.outage_mails import OutageMails
from mails.recipients import AddressBook, reply_address
from mails.smtp import DATA_TIMEOUT, SmtpSender
from mails.topics import TopicMails
from stores.locks import Locks
from stores.mail_links import MailLinks
from stores.mails import MailState
from tasks.base import services_of
from tasks.flows import REPORT

# Seconds. A round starts no mail after `ROUND`, and a slow server may need `DATA_TIMEOUT` for the last one; then the
# task is ended. The lock outlives the task: the message of a dead worker comes back earlier, and finds it taken.
SOFT_LIMIT = round(ROUND + DATA_TIMEOUT) + 20
HARD_LIMIT = SOFT_LIMIT + 10
ONE_AT_A_TIME = HARD_LIMIT + 10


@shared_task(name=REPORT.name, bind=True, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def report(task: Task[Any, Any]) -> int:
    """Mail what is due. Return how many mails were sent."""
    return send_due_mails(services_of(task.app))


def send_due_mails(services: Services, now: datetime | None = None) -> int:
    """One round, unless another worker runs one. `now` replaces the clock in simulations."""
    lock = Locks(services.redis).mail_round(ONE_AT_A_TIME)
    try:
        with lock, SmtpSender(services.settings.smtp_url) as smtp:
            return _dispatcher(services, smtp, lambda: now or datetime.now(UTC), lock.reacquire).round()
    except LockError:
        return 0


def _dispatcher(
    services: Services, smtp: SmtpSender, now: Callable[[], datetime], keep_lock: Callable[[], object]
) -> Dispatcher:
    settings, stores, state = services.settings, services.stores, MailState(services.redis)
    addresses = AddressBook(stores.connections, stores.company_settings, settings.alerts_to)
    audiences = partial(audience_of, settings, stores.mail_links)
    mailer = Mailer(smtp, addresses, state, services.telemetry.counters, settings.alerts_from, audiences, now)
    sources = (
        LossMails(services.installation, mailer),
        TopicMails(services.ordering, stores.connections, stores.names, state, mailer, now),
        OutageMails(services.ordering, stores.connections, state, mailer, services.consent_address, now),
        DeferredMails(state, mailer, now),
        AskedLinks(stores.mail_links, mailer, now),
    )
    return Dispatcher(sources, state, services.telemetry.counters, now, keep_lock)


def audience_of(settings: Settings, links: MailLinks, is_operator: bool) -> Audience:
    """What each reader of a mail gets, but for the company's name."""
    link_to = links_for(settings.console_url, links, is_operator=is_operator)
    if is_operator:
        return Audience(is_operator=True, link_to=link_to)
    reply_to = reply_address(settings.operator_contact, settings.alerts_to)
    return Audience(contact=settings.contact, reply_to=reply_to, link_to=link_to)
