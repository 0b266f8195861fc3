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
    missing,
    oidc,
    overview,
    settings,
    sign_in,
    situations,
    static,
    transfers,
)
from delivery.background import BackgroundThread
from delivery.installation import EVERY, InstallationWatch
from delivery.services import Services
from operations.board import BoardKeeper
from operations.oidc import SignIns
from stores.threads import INSTALLATION

PAGES = (
    *(health, static, sign_in, oidc, links, overview, company, connect, settings, transfers, events, failures, jobs),
    *(expenses, audit, situations),
    missing,  # last: it takes what is left
)


def create_app(services: Services) -> FastAPI:
    """The application. Its own documents are off: what is open is `console.routes` alone."""
    board, watch = BoardKeeper(services), InstallationWatch(services.installation)

    def look() -> float:
        if watch.look() is not None:
            board.begin_anew()
        return EVERY

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = BackgroundThread(INSTALLATION, look, services.telemetry.threads)
        board.start()
        looking.start()
        yield
        board.stop()
        looking.stop()

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
    app.state.sign_ins = sign_ins(services)
    app.mount(PREFIX, create_api(services))
    for one in PAGES:
        app.include_router(one.router)
    errors.add_handlers(app)
    return app


def sign_ins(services: Services) -> SignIns | None:
    """Sign-ins at a provider, where one is set."""
    if services.settings.oidc_issuer is None:
        return None
    return SignIns(services)


def serving(services: Services) -> ASGIApp:
    """The application as it is served: with its headers, and behind the checks of host and size."""
    return Guarded(create_app(services), services.settings)
