"""Starts and stops the feed's listener and dispatcher with the consumer of each background worker.

One worker at a time listens, and one acts on what was heard (`delivery/feed`).
"""

import os
import socket
from itertools import count
from typing import Any

from celery import bootsteps

from config.queues import POLLS_QUEUE
from delivery.background import BackgroundThread
from delivery.feed.dispatcher import HintDispatcher
from delivery.feed.listener import FeedListener
from stores.threads import FEED_DISPATCHER, FEED_LISTENER
from tasks.base import services_of

_numbers = count()


class FeedStep(bootsteps.StartStopStep):
    """In a worker that takes polls, where `FORTNOX_FEED_URL` is set."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._threads: list[BackgroundThread] = []

    def start(self, consumer: Any) -> None:
        services = services_of(consumer.app)
        if not services.settings.fortnox_feed_url or POLLS_QUEUE not in consumer.app.amqp.queues.consume_from:
            return
        name = f"{socket.gethostname()}:{os.getpid()}:{next(_numbers)}"
        listener, dispatcher = FeedListener(services, name), HintDispatcher(services, name)
        states = services.telemetry.threads
        self._threads = [
            BackgroundThread(FEED_LISTENER, listener.step, states, ended=listener.close),
            BackgroundThread(FEED_DISPATCHER, dispatcher.step, states, ended=dispatcher.close),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, consumer: Any) -> None:
        for thread in self._threads:
            thread.stop()
        self._threads = []
