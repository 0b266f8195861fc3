"""What takes longer than a page, in a thread of this process: retrying all of a cause, and watching an import.

What was done stays done where the process ends; a retry of the rest is asked for again, and an import goes on anyway.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from redis.exceptions import RedisError

from delivery.services import Services
from messages import Message
from operations.audit import Actor
from operations.errors import OperationError
from operations.expenses import import_
from operations.retry import Selection, chosen, number_failed, retry_each
from stores.jobs import Job

log = structlog.get_logger(__name__)

WATCHED: Final = 3600.0  # seconds for which an import is watched
EVERY: Final = 10  # steps between two looks of whoever watches

Steps = Iterator[Job]


def retry_all(services: Services, selection: Selection, *, by: Actor) -> str:
    """Retry every failed event of the selection. Return the job's id."""

    def steps() -> Steps:
        total = number_failed(services, selection.company or None)
        records = []
        for looked, record in enumerate(chosen(services, selection), start=1):
            records += [record] if record else []
            if looked % (100 * EVERY) == 0:
                yield Job("retry", selection.company, "running", 0, total, 0)
        job = Job("retry", selection.company, "running", 0, len(records), 0)
        yield job
        for done in retry_each(services, records, by=by):
            job = job._replace(done=job.done + 1, changed=job.changed + bool(done.became))
            if job.done % EVERY == 0:
                yield job
        yield job._replace(state="done")

    return _start(services, Job("retry", selection.company, "running", 0, 0, 0), steps)


def import_expenses(services: Services, company: str, days_back: int, *, by: Actor) -> str:
    """Import what changed within so many days. Return the job's id. Raises `OperationError`."""
    progress = import_(services, company, days_back, WATCHED, by=by)
    first = next(progress)

    def steps() -> Steps:
        most = first.left
        for step in (first, *()) if first.done else progress:
            most = max(most, step.left)
            done, changed = most - step.left, sum(step.counts[name] for name in ("created", "corrected", "withdrawn"))
            state = "done" if step.done else "running"
            total = 0 if step.listing and not done else most
            yield Job("import", company, state, done, total, changed, step.waits_for)

    return _start(services, Job("import", company, "running", 0, 0, 0), steps)


def find_job(services: Services, job_id: str) -> Job | None:
    """How far the job is; None where it is unknown or forgotten."""
    return services.stores.jobs.find(job_id)


def _start(services: Services, job: Job, steps: Callable[[], Steps]) -> str:
    job_id = services.stores.jobs.begin(job.kind, job.company)
    threading.Thread(target=_run, args=(services, job_id, job, steps), name=f"job-{job.kind}", daemon=True).start()
    return job_id


def _run(services: Services, job_id: str, job: Job, steps: Callable[[], Steps]) -> None:
    try:
        for job in steps():
            services.stores.jobs.save(job_id, job)
        if job.state == "running":
            services.stores.jobs.save(job_id, job._replace(state="stopped"))
    except OperationError as error:
        _end(services, job_id, job._replace(state="failed", said=error.message))
    except RedisError as error:
        log.warning("console.job_stopped", kind=job.kind, error=type(error).__name__)
        _end(services, job_id, job._replace(state="failed", said=Message("job.interrupted")))


def _end(services: Services, job_id: str, job: Job) -> None:
    try:
        services.stores.jobs.save(job_id, job)
    except RedisError as error:
        log.warning("console.job_not_saved", kind=job.kind, error=type(error).__name__)
