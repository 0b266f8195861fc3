"""The Celery app: its options, tasks, schedule and boot steps, and the services of each of its processes."""

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from secrets import token_hex
from typing import Any, cast

import structlog
from celery import Celery, current_app, signals
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config import Settings, load_settings
from config.celery import celery_options
from config.logging import configure_logging
from config.redis import is_outage, redis_client
from delivery.background import WAIT_FOR_REDIS
from delivery.services import Services, build_services
from delivery.stopping import Stopping
from ordering import UnknownLayout
from stores.durability import read_durability
from stores.key_check import WrongKeys
from stores.locks import Locks
from tasks.flows import REPORT, TASKS
from worker.broker import outlive_connections
from worker.feed import FeedStep
from worker.installation import InstallationStep, check_state
from worker.pump import PumpStep
from worker.stream import StreamStep
from worker.task_events import TaskEvents

log = structlog.get_logger(__name__)

REPORT_EVERY = timedelta(seconds=1)  # what fails after a requested round is mailed by beat's round within 10 s


def beat_schedule(settings: Settings) -> dict[str, dict[str, object]]:
    """What beat sends. Each message asks to look for what is due, so a late one is useless."""
    return {
        task.schedule.name: {
            "task": task.name,
            "schedule": task.schedule.every(settings.expense_poll_interval).total_seconds(),
            "options": {"expires": task.schedule.expires.total_seconds()},
        }
        for task in TASKS
        if task.schedule is not None
    }


class App(Celery):
    """The Celery app and its services. Each process builds its own: connections do not survive a fork."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("moment-fortnox", set_as_current=True)
        outlive_connections(settings.max_event_bytes)
        self.settings = settings
        self.worker = ""  # in a worker's processes: its name, of this start
        self.nodename = ""  # and the one that monitors know it by
        self._task_events: TaskEvents | None = None  # of a pool process: made when one is first sent
        self.stopping = Stopping()  # before the pool's processes are forked, so that they share it
        modules = tuple(dict.fromkeys(task.module for task in TASKS))
        self.conf.update(celery_options(settings), imports=modules, beat_schedule=beat_schedule(settings))
        self.steps["consumer"].update((PumpStep, StreamStep, InstallationStep, FeedStep))
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

    def send_task_event(self, kind: str, **fields: Any) -> None:
        """Tell monitors of an attempt that had no message of its own. For a pool process."""
        if self._task_events is None:
            self._task_events = TaskEvents(self, self.nodename)
        self._task_events.send(kind, **fields)

    def flush(self) -> None:
        """Write what this process has gathered for people, monitors and metrics."""
        self.services.telemetry.write_buffer.flush()
        if self._task_events is not None:
            self._task_events.flush()

    @cached_property
    def redbeat_redis(self) -> Any:
        """redbeat's client. It looks for one under this name before it makes one by itself."""
        return redis_client(self.settings, decode_responses=True, **self.conf.redbeat_redis_options)

    def _connection(self, url: str, userid: str | None = None, password: str | None = None, **given: Any) -> Any:
        """Every connection to the broker gets the credentials that the options leave out."""
        address = self.settings.redis_address
        if url == self.conf.broker_url:
            userid, password = userid or address.username, password or address.password
        return super()._connection(url, userid, password, **given)  # type: ignore[misc]  # not in the published types

    def _request_report(self) -> None:
        """Send the task that mails failures, at most once a second: one round reports all of them."""
        try:
            if Locks(self.services.redis).ask_for_mails(REPORT_EVERY):
                self.send_task(REPORT.name)
        except (OperationalError, RedisError) as error:
            log.warning("report.not_asked", error=type(error).__name__)


def create_app(settings: Settings | None = None) -> App:
    """Build the app for these settings, or for the environment's. Raises `pydantic.ValidationError`."""
    return App(settings or load_settings())


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Celery's programs log like the rest of the system. Connecting here switches off Celery's own set-up."""
    configure_logging(load_settings())


@signals.import_modules.connect
def _correct_flower(sender: Any = None, **_: Any) -> None:
    """Flower, if that is what runs, is loaded by now."""
    if "flower.app" in sys.modules:
        from worker.flower import ask_every_sentinel

        ask_every_sentinel(sender.settings)


@signals.worker_shutting_down.connect
def _hand_back(**_: Any) -> None:
    """Running transfers stop at their next request, and another worker continues them without waiting for a lease."""
    cast(App, current_app).stopping.set()


@signals.worker_process_shutdown.connect
def _flush(**_: Any) -> None:
    """A pool process writes what it has gathered before it ends."""
    cast(App, current_app).flush()


@signals.celeryd_init.connect
def _name(sender: str = "", instance: Any = None, **_: Any) -> None:
    """Name this start of the worker, before its pool's processes are forked."""
    app = cast(App, instance.app)
    app.nodename = sender
    app.worker = f"{sender.replace('/', '-')}-{token_hex(4)}"


@signals.celeryd_init.connect
def _check_redis(instance: Any = None, **_: Any) -> None:
    """When a worker starts: refuse another version's state or other keys, and warn where Redis could lose an event."""
    services = instance.app.services
    try:
        _when_redis_answers(lambda: check_state(services))
    except (UnknownLayout, WrongKeys) as error:
        raise SystemExit(f"error: {error}") from None  # Celery swallows any other exception of a signal's receiver
    durability = read_durability(services.redis)
    for fault in durability.faults:
        log.warning("redis.not_durable", **fault._asdict())
    if durability.unverified:
        log.warning("redis.durability_unverified", settings=durability.unverified)


def _when_redis_answers(act: Callable[[], None]) -> None:
    """Do it once Redis is there: a worker that starts first waits, as it does for one that goes away later."""
    while True:
        try:
            return act()
        except RedisError as error:
            if not is_outage(error):
                raise
            log.warning("worker.waits_for_redis", error=type(error).__name__)
            time.sleep(WAIT_FOR_REDIS)
