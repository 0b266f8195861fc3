"""Moment: threads that publish each company's events in order, through its entrance, and write down what was answered.

A producer whose event was not taken publishes it again, as its contract allows; now and then it gives up, and then
nobody can know whether the event was taken.
"""

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.redis import redis_client
from config.redis_replicas import confirmed_by_replicas
from stores.event_stream import FIELD, STREAM
from tasks.flows import RECEIVE
from tests.chaos.options import Options
from tests.chaos.workload import Step
from worker.bootstrap import App
from worker.publish import publish

GIVES_UP = 0.3  # the chance, where nothing else needs the event
PAUSE = 0.3  # seconds before it is published again


@dataclass(slots=True)
class Attempt:
    """A step that was tried. `sent`: its entrance answered that it has it."""

    step: Step
    sent: bool = False
    tries: int = 0


@dataclass
class Attempts:
    """All attempts, each company's in their order. Each company has one writer."""

    by_company: dict[str, list[Attempt]] = field(default_factory=dict)

    def all(self) -> list[Attempt]:
        return [attempt for attempts in self.by_company.values() for attempt in attempts]

    def published(self) -> int:
        return sum(len(attempts) for attempts in self.by_company.values())


class Entrances:
    """The three entrances, as one who has a step to publish sees them. Safe to share between threads."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._redis = redis_client(app.settings)
        self._confirmed = confirmed_by_replicas(app.settings)
        # A producer in another language: it knows the broker, the task's name and its queue.
        self._celery = Celery("producer", broker=app.conf.broker_url, set_as_current=False)
        self._celery.conf.broker_transport_options = app.conf.broker_transport_options

    def publish(self, step: Step) -> None:
        """Raises `RedisError` or `OperationalError` when the entrance did not answer that it has the event."""
        match step.entrance:
            case "python":
                publish(step.event, services=self._app.services)
            case "stream":
                with self._confirmed(self._redis) as redis:  # XADD, then WAIT
                    redis.xadd(STREAM, {FIELD: json.dumps(step.event)})
            case "celery":
                self._celery.send_task(RECEIVE.name, args=[step.event], queue="events")

    def close(self) -> None:
        self._redis.close()
        self._celery.close()


class Producer(threading.Thread):
    """Publishes the steps of its companies, each at its time."""

    def __init__(self, name: str, steps: Sequence[Step], entrances: Entrances, attempts: Attempts, seed: str) -> None:
        super().__init__(name=name, daemon=True)
        self.error: Exception | None = None
        self._steps = steps
        self._doors = entrances
        self._attempts = attempts
        self._dice = random.Random(seed)
        self._ended = threading.Event()
        self._taken: set[tuple[str, str]] = set()  # company and number of the invoices that were taken

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        start = time.monotonic()
        try:
            for step in self._steps:
                if self._ended.wait(max(0.0, start + step.at - time.monotonic())):
                    return
                if not step.credits or (step.company, step.credits) in self._taken:
                    self._publish(step)
        except Exception as error:  # noqa: BLE001 - told by the main thread; anything but a refusal is a bug
            self.error = error

    def _publish(self, step: Step) -> None:
        attempt = Attempt(step)
        self._attempts.by_company[step.company].append(attempt)
        while not self._ended.is_set():
            attempt.tries += 1
            try:
                self._doors.publish(step)
            except (RedisError, OperationalError):
                if not step.essential and self._dice.random() < GIVES_UP:
                    return
                self._ended.wait(PAUSE)
            else:
                attempt.sent = True
                if step.kind == "invoice":
                    self._taken.add((step.company, step.number))
                return


def producers(
    workload: Mapping[str, Sequence[Step]], entrances: Entrances, attempts: Attempts, options: Options
) -> list[Producer]:
    """A few threads; a company's events stay with one of them, so that its order is the order of publishing."""
    made = []
    companies = sorted(workload)
    for number in range(options.producers):
        mine = companies[number :: options.producers]
        attempts.by_company |= {company: [] for company in mine}
        steps = sorted((step for company in mine for step in workload[company]), key=lambda step: step.at)
        made.append(Producer(f"producer-{number}", steps, entrances, attempts, f"{options.seed}/{number}"))
    return made
