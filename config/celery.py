"""Celery's options, each with its reason. Pure: a function from settings to a plain dict.

The state of events is in Redis structures of our own (`ordering`); a Celery message is only a wake-up, which may be
lost, late or doubled without harm. The options are chosen for that.

Sources: https://docs.celeryq.dev/en/stable/userguide/configuration.html and the transport options in
the docstring of `kombu.transport.redis`.
"""

from kombu import Exchange, Queue

from config.queues import QUEUES, TRANSFERS_QUEUE
from config.redis import sentinel_options, tls_options
from config.settings import Settings
from tasks.flows import TASKS

VISIBILITY_TIMEOUT = 120  # seconds until a dead worker's message is redelivered
TASK_TIME_LIMIT = 110  # below VISIBILITY_TIMEOUT: no message comes back while its task still runs
TASK_SOFT_TIME_LIMIT = 100
SOFT_SHUTDOWN_SECONDS = 15
# Seconds between two tries to connect. By default they grow to 30, and a fail-over takes seconds.
RECONNECT = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}


def celery_options(settings: Settings) -> dict[str, object]:
    """The options for `Celery(...).conf.update()`.

    They hold no password: `celery report`, `celery inspect conf` and Flower show them. The app gives Redis' credentials
    to each connection (`worker.bootstrap.App`).
    """
    address = settings.redis_address
    return {
        "broker_url": broker_url(settings),
        # Also what Flower uses. By default kombu checks no certificate.
        "broker_use_ssl": tls_options(settings),
        # Wait for a restarting broker, at start and later, as long as it takes: a worker that gives up has to be
        # started again by a person.
        "broker_connection_retry_on_startup": True,
        "broker_connection_retry": True,
        "broker_connection_max_retries": None,  # for ever; the default ends the worker after 100
        "broker_transport_options": {
            # With the default, a killed worker's message would be gone for an hour. A message that comes back while
            # its event is done or leased does nothing, so a short timeout costs nothing.
            "visibility_timeout": VISIBILITY_TIMEOUT,
            # The defaults look for messages to redeliver every 10 x 10 s; this looks every 10 s.
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # Without time-outs a half-open connection (fail-over, NAT) blocks a publish for ever. They must exceed
            # kombu's BRPOP, which blocks for 1 s.
            "socket_timeout": 15.0,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
            "health_check_interval": 4,  # default 25: notices a dead consumer connection within about 10 s
            **RECONNECT,
            **_sentinels(settings),
        },
        # JSON only: a pickle in the queue would be code that any producer can run here.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        # The engine stores how an event ended. A second copy, which expires, could only disagree.
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # A message is acknowledged when its task has ended, so that a killed worker's message is redelivered.
        "task_acks_late": True,
        # The same when only the pool's child was killed (out of memory): by default Celery would acknowledge.
        # The engine's fencing token and its count of attempts limit what a poisonous event can do.
        "task_reject_on_worker_lost": True,
        # One message per process, and one more prefetched: a busy worker must not keep wake-ups from the others.
        "worker_prefetch_multiplier": 1,
        # A task stuck beyond every HTTP time-out is ended, softly first, so that it can settle. A transfer records each
        # finished step, and a poll its cursor, so both continue where they stopped.
        "task_soft_time_limit": TASK_SOFT_TIME_LIMIT,
        "task_time_limit": TASK_TIME_LIMIT,
        # After SIGQUIT running tasks have this long to end; then they are cancelled, and others take over.
        # Bounded, and shorter than the 30 s that docker-compose.yml grants before SIGKILL.
        "worker_soft_shutdown_timeout": float(SOFT_SHUTDOWN_SECONDS),
        # An idle worker stops at once: it has no ETA messages to lose (the engine does back-off).
        "worker_enable_soft_shutdown_on_idle": False,
        # A running transfer holds its lease in the engine, not in the message. When the broker's connection breaks,
        # killing the transfer would only add a write of unknown outcome.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # The default of 4 s restarts healthy children on a machine that is busy starting everything at once.
        "worker_proc_alive_timeout": 30.0,
        # A misspelt queue is an error, rather than a queue that nobody reads. Each queue has its own exchange and key:
        # by default all share one, and so get each other's messages.
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        "task_create_missing_queues": False,
        "task_default_queue": TRANSFERS_QUEUE,
        "task_routes": {task.name: {"queue": task.queue} for task in TASKS},
        # Flower and other monitors need these. Arguments are ids, so they hold no personal data.
        "worker_send_task_events": True,
        "task_annotations": {task.name: {"send_events": False} for task in TASKS if not task.monitored},
        "worker_consumer": "worker.consumer:QuickConsumer",  # sends them a few times a second
        # Not when a message is sent: `status` shows what waits, and the event costs as much as the message itself.
        "task_send_sent_event": False,
        # Whoever reaches Redis could shut the workers down by it. Flower needs only the task events.
        "worker_enable_remote_control": settings.worker_remote_control,
        # config/logging.py sets up logging for everything; Celery's own set-up would add a second format.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Instants are UTC; a crontab means the clock on the accountant's wall.
        "enable_utc": True,
        "timezone": "Europe/Stockholm",
        # One active beat among several. Its lease expires this long after its death, and another beat looks each loop:
        # fail-over within 35 s. An active beat renews the lease six times as often. Beat waits for Redis without end.
        "beat_scheduler": "worker.beat.Scheduler",
        "beat_max_loop_interval": settings.beat_lock_seconds / 6,
        "redbeat_lock_timeout": settings.beat_lock_seconds,
        "redbeat_redis_url": address.url,
        "redbeat_key_prefix": "redbeat:",
        # `App.redbeat_redis` makes the client with these. No retries of RedBeat: `worker.beat` waits for Redis and
        # looks after its lease meanwhile.
        "redbeat_redis_options": {
            "socket_timeout": 15.0,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
    }


def broker_url(settings: Settings) -> str:
    """The broker's address, without a password. With Sentinels it names the first; `SentinelChannel` asks all."""
    address, sentinels = settings.redis_address, settings.redis_sentinels
    if sentinels is None:
        return address.url
    host, port = sentinels.places[0]
    return f"sentinel://{address._replace(host=host, port=port)}"


def _sentinels(settings: Settings) -> dict[str, object]:
    sentinels = settings.redis_sentinels
    if sentinels is None:
        return {}
    return {
        "sentinels": sentinels.places,
        "master_name": sentinels.master,
        "sentinel_kwargs": sentinel_options(settings),
    }
