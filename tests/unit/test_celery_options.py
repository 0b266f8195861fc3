"""Every option in `config/celery.py` exists in the installed Celery, and the promises made with them hold."""

import json
from typing import cast

import pytest
from celery import Celery
from celery.app.defaults import DEFAULTS
from kombu import Connection
from kombu.transport.redis import Channel
from redbeat.schedulers import RedBeatConfig

from config import load_settings
from config.celery import (
    RECONNECT,
    SOFT_SHUTDOWN_SECONDS,
    TASK_SOFT_TIME_LIMIT,
    TASK_TIME_LIMIT,
    VISIBILITY_TIMEOUT,
    celery_options,
)
from config.queues import BACKGROUND_QUEUES, DELIVERY_QUEUES, QUEUES
from tasks.flows import (
    CUSTOMER,
    EXPENSES,
    INTEGRATION,
    INVOICE,
    PROJECT,
    RECEIVE,
    REPORT,
    SCHEDULE_NIGHT,
    SCHEDULE_POLLS,
    UNREADABLE,
    TaskRecord,
)

REDBEAT_OPTIONS = {"redbeat_redis_url", "redbeat_key_prefix", "redbeat_lock_timeout", "redbeat_redis_options"}
COMPOSE_STOP_GRACE_SECONDS = 30


@pytest.fixture
def options() -> dict[str, object]:
    return celery_options(
        load_settings(fortnox_api_url="http://127.0.0.1:1", redis_url="redis://:hunter2@127.0.0.1:7/3")
    )


@pytest.fixture
def app(options: dict[str, object]) -> Celery:
    app = Celery("options", set_as_current=False)
    app.conf.update(options)
    return app


def test_every_option_is_known_to_the_installed_celery_or_redbeat(options: dict[str, object]) -> None:
    unknown = {name for name in options if name not in DEFAULTS} - REDBEAT_OPTIONS

    assert unknown == set()


def test_every_transport_option_is_known_to_the_installed_kombu(options: dict[str, object]) -> None:
    transport = options["broker_transport_options"]

    assert isinstance(transport, dict)
    by_connection = Connection(transport_options=transport)._extract_failover_opts()
    assert set(transport) - set(by_connection) <= set(Channel.from_transport_options)
    assert by_connection.items() >= RECONNECT.items()


def test_redbeat_reads_its_options_without_a_deprecation_warning(app: Celery) -> None:
    config = RedBeatConfig(app)

    assert config.redis_url == "redis://127.0.0.1:7/3"
    assert config.lock_timeout == 30
    assert config.redbeat_redis_options["socket_timeout"] == 15.0


@pytest.mark.parametrize("lock", [30, 45])
def test_another_beat_takes_over_within_a_minute(lock: int) -> None:
    options = celery_options(load_settings(fortnox_api_url="http://127.0.0.1:1", beat_lock_seconds=lock))
    loop = cast(float, options["beat_max_loop_interval"])

    assert lock + loop < 60
    assert lock >= 3 * loop  # a live one must not lose its lock to one slow loop


def test_a_task_ends_before_its_message_is_delivered_again() -> None:
    assert TASK_SOFT_TIME_LIMIT < TASK_TIME_LIMIT < VISIBILITY_TIMEOUT


def test_a_soft_shutdown_ends_before_docker_kills() -> None:
    assert SOFT_SHUTDOWN_SECONDS < COMPOSE_STOP_GRACE_SECONDS


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        (RECEIVE, "events"),
        *((flow.task, "transfers") for flow in (CUSTOMER, PROJECT, INVOICE, INTEGRATION)),
        (UNREADABLE, "transfers"),
        (REPORT, "mail"),
        (EXPENSES.task, "polls"),
        (SCHEDULE_POLLS, "events"),
        (SCHEDULE_NIGHT, "events"),
    ],
)
def test_a_task_is_routed_to_its_queue(app: Celery, task: TaskRecord, queue: str) -> None:
    route = app.amqp.router.route({}, task.name)

    assert route["queue"].name == queue


def test_a_misspelt_queue_is_an_error(app: Celery) -> None:
    with pytest.raises(Exception, match="transfer"):
        app.amqp.router.route({"queue": "transfer"}, "anything")


def test_every_queue_is_read_by_one_of_the_two_workers() -> None:
    assert set(DELIVERY_QUEUES) | set(BACKGROUND_QUEUES) == set(QUEUES)
    assert set(DELIVERY_QUEUES).isdisjoint(BACKGROUND_QUEUES)


def test_a_pickled_message_is_refused(app: Celery) -> None:
    assert app.conf.accept_content == ["json"]
    assert json.dumps(app.conf.task_routes)


def test_no_option_holds_the_password(options: dict[str, object], app: Celery) -> None:
    assert "hunter2" not in repr(options)
    assert "hunter2" not in app.conf.humanize(with_defaults=True, censored=False)
    assert "hunter2" not in repr(app.conf.table(with_defaults=True, censored=False))
