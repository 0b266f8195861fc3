"""Signing in at an OpenID Connect provider, where `OIDC_ISSUER` is set."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from console.access import ALL, Serving, allow, browser_of
from console.pages import page
from console.routes.sign_in import begin, local
from messages import Message
from operations.oidc import NotKnownHere, SignInFailed, SignIns

router = APIRouter()


def sign_ins_of(request: Request) -> SignIns:
    found: SignIns | None = request.app.state.sign_ins
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/sign-in/oidc")
@allow(*ALL)
def away(request: Request, to: str = "/") -> Response:
    """On to the provider. Nothing is done but remembering where this browser wants to go."""
    try:
        return RedirectResponse(sign_ins_of(request).begin(browser_of(request), local(to)), 303)
    except SignInFailed:
        return _failed(request, 502, Message("sign-in.oidc-failed"))


@router.get("/sign-in/callback")
@allow(*ALL)
def back(request: Request, services: Serving, state: str = "", code: str = "") -> Response:
    """Back from the provider. The state is this browser's, unused and not too old, or nobody is signed in."""
    try:
        session, to = sign_ins_of(request).finish(browser_of(request), state[:200], code[:4000])
    except SignInFailed:
        return _failed(request, 401, Message("sign-in.oidc-failed"))
    except NotKnownHere:
        return _failed(request, 403, Message("sign-in.oidc-nobody"))
    begin(request, services, session)
    return RedirectResponse(to, 303)


def _failed(request: Request, status: int, why: Message) -> Response:
    return page(request, "sign_in_failed.html", status=status, why=why)
