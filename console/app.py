"""Assembles the console: one FastAPI application over the services of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from console import errors
from console.access import guard
from console.api.app import PREFIX, create_api
from console.headers import Guarded
from console.routes import (
    audit,
    company,
    connect,
    events,
    expenses,
    failures,
    health,
    jobs,
    links,
    overview,
    settings,
    sign_in,
    situations,
    static,
    transfers,
)
from delivery.services import Services
from operations.board import BoardKeeper

PAGES = (
    *(health, static, sign_in, links, overview, company, connect, settings, transfers, events, failures, jobs),
    *(expenses, audit, situations),
)


def create_app(services: Services) -> FastAPI:
    """The application. Its own documents are off: what is open is `console.routes` alone."""
    board = BoardKeeper(services)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        board.start()
        yield
        board.stop()

    app = FastAPI(
        title="Moment → Fortnox",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(guard)],
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.board = board
    for one in PAGES:
        app.include_router(one.router)
    app.mount(PREFIX, create_api(services))
    errors.add_handlers(app)
    return app


def serving(services: Services) -> ASGIApp:
    """The application as it is served: with its headers, and behind the checks of host and size."""
    return Guarded(create_app(services), services.settings)
