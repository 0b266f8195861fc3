"""Whether the system makes progress, and if not, why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

from redis.exceptions import ResponseError

from config.queues import MAIL_QUEUE, POLLS_QUEUE, TRANSFERS_QUEUE
from config.redis_connections import WrongNode
from config.redis_replicas import confirmed_by_replicas
from delivery.services import Services
from messages import Message
from operations.errors import redis_problem
from stores.beat import beat_age
from stores.durability import WANTED, read_durability
from stores.heartbeats import MAIL, POLLS, PUMP, WORKER
from stores.installation import Loss
from stores.key_check import KeyCheck, WrongKeys
from tasks.flows import REPORT_SCHEDULE

STUCK_AFTER: Final = timedelta(seconds=60)  # a worker's pump moves what is due within a second, and shows it each 5 s
TAKEN_AFTER: Final = timedelta(seconds=90)  # beat sends the workers of transfers a tick each minute
LONG_TAKEN_AFTER: Final = timedelta(seconds=300)  # a round of mails or a poll may occupy a process for minutes
BEAT_AFTER: Final = timedelta(seconds=60)  # beat runs something every ten seconds; another takes over within 35


class Part(StrEnum):
    """A part that can be checked alone; the health check of a service checks its own part."""

    REDIS = "redis"
    DELIVERY = "delivery"
    BACKGROUND = "background"
    BEAT = "beat"


def problems(services: Services, part: Part | None = None) -> list[Message]:
    """Everything that is wrong, of one part or of all. Raises `RedisError`."""
    return [problem for name, check in CHECKS.items() if part in (None, name) for problem in check(services)]


def unverified(services: Services, part: Part | None = None) -> list[Message]:
    """What Redis does not show, so that nobody can tell whether it is right. Raises `RedisError`."""
    settings = read_durability(services.redis).unverified if part in (None, Part.REDIS) else ()
    return [Message("health.unverified", setting=name, wanted=WANTED[name]) for name in settings]


def acknowledge(services: Services, losses: Sequence[Loss]) -> None:
    """A person has seen what Redis lost: it is no problem any more."""
    services.installation.acknowledge(losses)


def _redis(services: Services) -> Iterator[Message]:
    if losses := services.installation.losses():
        yield from (loss.message for loss in losses)
        yield Message("redis.lost.restored")
    try:
        with confirmed_by_replicas(services.settings)(services.redis) as client:
            services.telemetry.heartbeats.check_writable(client)
    except (ResponseError, WrongNode) as error:  # out of memory, a replica, a full disk, or too few replicas
        yield redis_problem(services.settings, error)
    for fault in read_durability(services.redis).faults:
        yield Message("health.not-durable", setting=fault.setting, found=fault.found, wanted=fault.wanted)


def _delivery(services: Services) -> Iterator[Message]:
    try:
        KeyCheck(services.redis, services.vault).check()
    except WrongKeys:
        yield Message("health.wrong-keys")
    if unusable := services.ordering.unusable():
        yield Message("health.unusable-keys", keys=", ".join(unusable))
        return  # the rest is read from them
    overdue = services.ordering.overdue()
    if overdue > STUCK_AFTER:
        yield Message("health.stuck", seconds=_seconds(overdue))
    ages = services.telemetry.heartbeats.ages()
    pumped = ages.get(PUMP)
    if pumped is None:
        yield Message("health.no-worker")
    elif pumped > STUCK_AFTER:
        yield Message("health.no-pump", seconds=_seconds(pumped))
    for thread, worker in services.telemetry.threads.all_down():
        yield Message("health.thread-down", thread=thread, worker=worker)
    yield from _taken(services, TRANSFERS_QUEUE, ages.get(WORKER), TAKEN_AFTER)


def _background(services: Services) -> Iterator[Message]:
    ages = services.telemetry.heartbeats.ages()
    for queue, part in ((MAIL_QUEUE, MAIL), (POLLS_QUEUE, POLLS)):
        yield from _taken(services, queue, ages.get(part), LONG_TAKEN_AFTER)


def _taken(services: Services, queue: str, age: timedelta | None, most: timedelta) -> Iterator[Message]:
    """A problem where messages wait in the queue and no worker has taken any for longer than `most`."""
    if (age is None or age > most) and services.redis.llen(queue):
        if age is None:
            yield Message(f"health.{queue}.never-taken")
        else:
            yield Message(f"health.{queue}.not-taken", seconds=_seconds(age))


def _beat(services: Services) -> Iterator[Message]:
    age = beat_age(services.redis, REPORT_SCHEDULE.name)
    if age is None:
        yield Message("health.no-beat")
    elif age > BEAT_AFTER:
        yield Message("health.beat-stopped", seconds=_seconds(age))


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f}"


CHECKS: Final[Mapping[Part, Callable[[Services], Iterator[Message]]]] = {
    Part.REDIS: _redis,
    Part.DELIVERY: _delivery,
    Part.BACKGROUND: _background,
    Part.BEAT: _beat,
}
