"""Celery's options, each with its reason. Pure: a function from settings to a plain dict.

The truth about events is in Redis structures of our own (`ordering`); a Celery message is a
wake-up that may be lost, late or doubled without harm. The options are chosen for that.

Sources: https://docs.celeryq.dev/en/stable/userguide/configuration.html and the transport options in
the docstring of `kombu.transport.redis`.
"""

from kombu import Exchange, Queue
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from config.queues import QUEUES, TRANSFERS_QUEUE
from config.settings import Settings
from tasks.flows import TASKS

VISIBILITY_TIMEOUT = 120  # seconds until a dead worker's message is delivered again
TASK_TIME_LIMIT = 110  # below VISIBILITY_TIMEOUT: no message comes back while its task still runs
TASK_SOFT_TIME_LIMIT = 100
SOFT_SHUTDOWN_SECONDS = 15


def celery_options(settings: Settings) -> dict[str, object]:
    """The options for `Celery(...).conf.update()`. Holds the Redis URL and so, perhaps, its password."""
    redis_url = settings.redis_url.get_secret_value()
    return {
        "broker_url": redis_url,
        # A broker that is restarting is waited for, at start and later, however long it takes: the events
        # are in it, and a worker that gives up has to be started again by a person.
        "broker_connection_retry_on_startup": True,
        "broker_connection_retry": True,
        "broker_connection_max_retries": None,  # for ever; the default ends the worker after 100
        "broker_transport_options": {
            # The default of an hour is how long a message of a killed worker would be gone. A message that
            # comes back while its event is done or leased is a no-op, so short costs nothing.
            "visibility_timeout": VISIBILITY_TIMEOUT,
            # The defaults look for messages to bring back every 10 x 10 s; this looks every 10 s.
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # Without time-outs a half-open connection (fail-over, NAT) blocks a publish for ever. Must be
            # longer than kombu's BRPOP, which blocks for 1 s.
            "socket_timeout": 15.0,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
            "health_check_interval": 10,  # default 25: notices a dead consumer connection within about 20 s
        },
        # JSON only, in and out: a pickle in the queue would be code that any producer can run here.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        # What became of an event is in the engine. A second copy, which expires, could only disagree.
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # A message is acknowledged when its task has ended, so that a killed worker's is delivered again.
        "task_acks_late": True,
        # The same when only the pool's child was killed (out of memory): without this, Celery acknowledges.
        # The engine's fencing token and its count of attempts bound what a poisonous event can do.
        "task_reject_on_worker_lost": True,
        # One message per process, and one at hand: a worker busy with slow transfers must not sit on others' wake-ups.
        "worker_prefetch_multiplier": 1,
        # A task stuck beyond every HTTP time-out gives its slot back. Soft first, so that it can settle;
        # a transfer records each finished step, and a poll its cursor, so both go on where they stopped.
        "task_soft_time_limit": TASK_SOFT_TIME_LIMIT,
        "task_time_limit": TASK_TIME_LIMIT,
        # After SIGQUIT running tasks get this long to end, then they are cancelled and others take over.
        # Bounded, and shorter than the 30 s that docker-compose.yml grants before SIGKILL.
        "worker_soft_shutdown_timeout": float(SOFT_SHUTDOWN_SECONDS),
        # An idle worker stops at once: there are no ETA messages it could lose (back-off is the engine's).
        "worker_enable_soft_shutdown_on_idle": False,
        # A running transfer holds a lease in the engine, not in the message: when the broker's connection
        # breaks, letting it end is one write of unknown outcome less than killing it.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # The default of 4 s restarts healthy children on a machine that is busy starting everything at once.
        "worker_proc_alive_timeout": 30.0,
        # A misspelt queue is an error rather than a queue that nobody reads.
        # Each with an exchange and a key of its own: by default all share one, and so get each other's messages.
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        "task_create_missing_queues": False,
        "task_default_queue": TRANSFERS_QUEUE,
        "task_routes": {task.name: {"queue": task.queue} for task in TASKS},
        # Flower and every monitor live on these. Arguments are ids, so the events hold no personal data.
        "worker_send_task_events": True,
        "worker_consumer": "worker.consumer:QuickConsumer",  # sends them a few times a second
        # Not when a message is sent: a wake-up is no news, `status` shows what waits, and telling of it takes the
        # sender as long as sending it.
        "task_send_sent_event": False,
        # config/logging.py sets up logging for everything; Celery's own set-up would add a second format.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Instants are UTC; a crontab means the clock on the accountant's wall.
        "enable_utc": True,
        "timezone": "Europe/Stockholm",
        # One live beat among several. Its lock lapses this long after it died (default 25 min), and another
        # looks each loop: fail-over within 35 s. A live one renews each loop, six times per lapse.
        "beat_scheduler": "redbeat.RedBeatScheduler",
        "beat_max_loop_interval": settings.beat_lock_seconds / 6,
        "redbeat_lock_timeout": settings.beat_lock_seconds,
        "redbeat_redis_url": redis_url,
        "redbeat_key_prefix": "redbeat:",
        # retry_period: how long a beat that lost Redis tries again before it ends; -1 is for ever. RedBeat leaves out
        # its lock's scripts, which the client's own retry covers: without it, a Redis that restarts ends beat.
        "redbeat_redis_options": {
            "socket_timeout": 15.0,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_period": 60,
            "retry": Retry(ExponentialBackoff(base=0.5, cap=5), retries=15),  # about a minute
        },
    }
