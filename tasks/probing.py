"""Every ten minutes, tries again the parts of Fortnox that were closed to a company."""

from typing import Any

from celery import Task, shared_task

from tasks.base import services_of
from tasks.flows import PROBE


@shared_task(name=PROBE.name, bind=True)
def probe(task: Task[Any, Any]) -> None:
    services_of(task.app).fortnox.access_blocks.probe()
