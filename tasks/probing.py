"""Every ten minutes: whether the parts of Fortnox that were closed to a company are open."""

from typing import Any

from celery import Task, shared_task

from tasks.house import house_of
from tasks.names import PROBE


@shared_task(name=PROBE, bind=True)
def probe(task: Task[Any, Any]) -> None:
    house_of(task.app).closed.probe()
