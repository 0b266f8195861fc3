"""`/jobs/{id}`: how far something is that takes longer than a page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import SIGNED_IN, Role, Serving, allow, visitor_of
from console.errors import not_found
from console.live import END, live
from console.pages import page, rendered
from delivery.services import Services
from operations.jobs import find_job
from stores.jobs import Job

router = APIRouter()


@router.get("/jobs/{job_id}")
@allow(*SIGNED_IN, own=True)
def progress(request: Request, services: Serving, job_id: str) -> Response:
    return page(request, "job.html", job=_job(request, services, job_id), job_id=job_id)


@router.get("/jobs/{job_id}/live")
@allow(*SIGNED_IN, own=True)
def live_progress(request: Request, services: Serving, job_id: str) -> Response:
    _job(request, services, job_id)

    def look() -> tuple[str, str]:
        job = _job(request, services, job_id)
        return ("" if job.state == "running" else END), rendered(request, "job_state.html", job=job)

    return live(look)


def _job(request: Request, services: Services, job_id: str) -> Job:
    job, visitor = find_job(services, job_id), visitor_of(request)
    if job is None or (visitor.role is Role.COMPANY and job.company != visitor.company):
        raise not_found()
    return job
