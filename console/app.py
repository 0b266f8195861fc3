"""Assembles the console: one FastAPI application over the services of this process."""

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from console import errors
from console.access import guard
from console.api.app import PREFIX, create_api
from console.headers import Guarded
from console.routes import health, overview, sign_in, static
from delivery.services import Services

ROUTERS = (health.router, static.router, sign_in.router, overview.router)


def create_app(services: Services) -> FastAPI:
    """The application. Its own documents are off: what is open is `console.routes` alone."""
    app = FastAPI(
        title="Moment → Fortnox",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(guard)],
        redirect_slashes=False,
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    app.mount(PREFIX, create_api(services))
    errors.add_handlers(app)
    return app


def serving(services: Services) -> ASGIApp:
    """The application as it is served: with its headers, and behind the checks of host and size."""
    return Guarded(create_app(services), services.settings)
