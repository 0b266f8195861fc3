"""Monitors of Celery's events. What happens before a monitor listens is lost, so each is waited for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from celery import Celery

from tests.waiting import DEADLINE, wait_until


@contextmanager
def monitored(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Every event that Celery sends, as Flower gets them. A worker has to run."""
    heard: list[dict[str, Any]] = []
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: heard, what="the monitor to hear of the worker")
            yield heard
        finally:
            receiver.should_stop = True
            thread.join(timeout=DEADLINE)


def wait_for_flower(address: str, login: str) -> None:
    """Return once Flower has heard of a worker."""

    def workers() -> list[Any]:
        answer = requests.get(f"{address}/workers", params={"json": "1"}, auth=tuple(login.split(":")), timeout=30)  # type: ignore[arg-type]
        return list(answer.json()["data"])

    wait_until(workers, what="Flower to hear of the worker", interval=0.1)
