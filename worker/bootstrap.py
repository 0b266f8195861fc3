"""The Celery app: its options, tasks, schedule and boot steps, and the services of each of its processes."""

import os
import threading
from datetime import timedelta
from typing import Any, cast

import structlog
from celery import Celery, current_app, signals
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config import Settings, load_settings
from config.celery import celery_options
from config.logging import configure_logging
from delivery.services import Services, build_services
from delivery.stopping import Stopping
from ordering.engine import UnknownLayout
from stores.locks import Locks
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
REPORT_EVERY = timedelta(seconds=1)  # what fails after a round that was asked for is mailed by beat's round within 10 s


def beat_schedule(settings: Settings) -> dict[str, dict[str, object]]:
    """What beat sends. Each message asks for a look at what is due, so a late one is of no use."""
    tick = poll_tick(settings.expense_poll_interval).total_seconds()
    return {
        # Failures ask for a round at once; this one covers a lost message and an SMTP server that was down.
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
                self._services = build_services(
                    self.settings, request_report=self._request_report, stopping=self.stopping
                )
                self._services_pid = os.getpid()
            return self._services

    def _request_report(self) -> None:
        """Send the task that mails failures, at most once a second: one round tells of all of them."""
        try:
            if Locks(self.services.redis).ask_for_mails(REPORT_EVERY):
                self.send_task(REPORT)
        except (OperationalError, RedisError) as error:
            log.warning("report.not_asked", error=type(error).__name__)


def create_app(settings: Settings | None = None) -> App:
    """The app for these settings, or for the environment's. Raises `pydantic.ValidationError`."""
    return App(settings or load_settings())


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Celery's programs log as the rest of the system does; connecting here switches Celery's own set-up off."""
    configure_logging(load_settings())


@signals.worker_shutting_down.connect
def _hand_back(**_: Any) -> None:
    """Running transfers end at their next request and go on in another worker, without waiting for a lease to lapse."""
    cast(App, current_app).stopping.set()


@signals.worker_process_shutdown.connect
def _flush(**_: Any) -> None:
    """A pool process that ends writes what its write buffer holds."""
    cast(App, current_app).services.telemetry.write_buffer.flush()


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
