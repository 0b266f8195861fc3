"""A worker looks whether Redis still holds what it held (`stores.installation`), and goes on where it does not."""

import os
import signal
from typing import Any

import structlog
from celery import Celery, bootsteps

from delivery.background import BackgroundThread
from delivery.installation import EVERY, InstallationWatch
from delivery.services import Services
from ordering import UnknownLayout
from stores.key_check import KeyCheck, WrongKeys
from stores.threads import INSTALLATION
from tasks.base import services_of

log = structlog.get_logger(__name__)


def check_state(services: Services) -> None:
    """Mark an empty Redis as this installation's, and notice an older copy. Raises `UnknownLayout` or `WrongKeys`."""
    services.ordering.check_layout()
    KeyCheck(services.redis, services.vault).start()
    InstallationWatch(services.installation).look()


def declare_queues(app: Celery) -> None:
    """Tell kombu's producers again which queues there are: without that they drop messages, and say nothing."""
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).declare()


class InstallationStep(bootsteps.StartStopStep):
    """Starts and stops the watch with the worker's consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._thread: BackgroundThread | None = None

    def start(self, consumer: Any) -> None:
        services = services_of(consumer.app)
        watch = _Watch(consumer.app, services)
        self._thread = BackgroundThread(INSTALLATION, watch.step, services.telemetry.threads)
        self._thread.start()

    def stop(self, consumer: Any) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None


class _Watch:
    """After a loss the worker does again what a worker does when it starts; it stops where one would refuse to."""

    def __init__(self, app: Celery, services: Services) -> None:
        self._app = app
        self._services = services
        self._watch = InstallationWatch(services.installation)
        self._unprepared = False

    def step(self) -> float:
        self._unprepared = self._watch.look() is not None or self._unprepared
        if self._unprepared:
            self._prepare()
            self._unprepared = False
        return EVERY

    def _prepare(self) -> None:
        try:
            check_state(self._services)
        except (UnknownLayout, WrongKeys) as error:
            log.critical("worker.stops", error=str(error))
            os.kill(os.getpid(), signal.SIGTERM)
            return
        declare_queues(self._app)
