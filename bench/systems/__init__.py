"""The systems: each a Celery app with one task, and a way to publish an event to it.

All but `defaults` run with the system's Celery options (`config.celery`): late acknowledgement, one message a process,
task events.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from celery import Celery

from bench.settings import SystemName
from config import Settings

Publish = Callable[[dict[str, Any]], object]


class System(Protocol):
    def create_app(self, settings: Settings) -> Celery: ...

    def publisher(self, app: Any) -> Publish: ...


def system(system: SystemName) -> System:
    """Import a system on demand: importing the ordered one sets up logging in this process."""
    return cast(System, import_module(f"bench.systems.{system}"))
