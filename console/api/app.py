"""Assembles the door for programs."""

from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI

from console.api import answers, companies, events
from console.api.answers import ApiFaults
from console.api.bodies import AT_ONCE, BodyMemory
from console.api.document import complete
from console.api.keys import key_of
from delivery.services import Services

PREFIX: Final = "/api/v1"
ALWAYS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": ApiFaults, "description": "There is no key, or it was revoked."},
    429: {"model": ApiFaults, "description": "Too many requests; `Retry-After` has the seconds to wait."},
    503: {"model": ApiFaults, "description": "Redis is away, or the door is full: try again after `Retry-After`."},
}


def create_api(services: Services) -> FastAPI:
    """The application below `/api/v1`. Every handler asks for a key; the document alone is open."""
    app = FastAPI(
        title="Moment → Fortnox",
        version="1",
        summary="Events in, and what became of them.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
        servers=[{"url": PREFIX}],
    )
    app.state.services = services
    app.state.body_memory = BodyMemory(AT_ONCE * services.settings.max_event_bytes)
    guarded = APIRouter(dependencies=[Depends(key_of)], responses=ALWAYS)
    for router in (events.router, companies.router):
        guarded.include_router(router)
    app.include_router(guarded)
    answers.add_handlers(app)
    complete(app)
    return app
