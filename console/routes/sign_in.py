"""Signing in and out, and the choice of language."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from console.access import ALL, SIGNED_IN, Serving, allow, cookie_of, renew_cookie
from console.pages import LANGUAGE_COOKIE, LANGUAGES, page
from delivery.services import Services
from operations.sign_in import TooManyAttempts, sign_in
from stores import Session

router = APIRouter()


@router.get("/sign-in")
@allow(*ALL)
def form(request: Request, services: Serving, to: str = "/") -> Response:
    return _form(request, services, to)


@router.post("/sign-in")
@allow(*ALL)
def enter(
    request: Request,
    services: Serving,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    to: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in with a password. The cookie is another one afterwards, so that nobody who knew it before has it."""
    if services.settings.oidc_issuer:
        raise HTTPException(404)
    address = request.client.host if request.client else ""
    try:
        account = sign_in(services, name, password, address)
    except TooManyAttempts:
        raise HTTPException(429, headers={"retry-after": "900"}) from None
    if account is None:
        return _form(request, services, to, name=name, wrong=True)
    begin(request, services, Session(account.role, account.name, ""))
    return RedirectResponse(local(to), 303)


@router.post("/sign-out")
@allow(*SIGNED_IN, own=True)
def leave(request: Request, services: Serving) -> Response:
    services.stores.sessions.end(cookie_of(request))
    renew_cookie(request)
    return RedirectResponse("/sign-in", 303, {"clear-site-data": '"cache"'})


@router.post("/language")
@allow(*ALL)
def choose(language: Annotated[str, Form()], to: Annotated[str, Form()] = "/") -> Response:
    response = RedirectResponse(local(to), 303)
    if language in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31536000, httponly=True, samesite="lax")
    return response


def begin(request: Request, services: Services, session: Session) -> None:
    """Sign this browser in: a new session with a new cookie; the one before ends."""
    services.stores.sessions.end(cookie_of(request))
    renew_cookie(request, services.stores.sessions.begin(session))


def local(to: str) -> str:
    """The path, where it is one of this console; else the start page."""
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if plain and "\\" not in to else "/"


def _form(request: Request, services: Services, to: str, *, name: str = "", wrong: bool = False) -> Response:
    settings = services.settings
    return page(
        request,
        "sign_in.html",
        status=401 if wrong else 200,
        to=local(to),
        name=name,
        wrong=wrong,
        oidc=bool(settings.oidc_issuer),
        accounts=bool(settings.accounts),
    )
