"""Who may do what. Every handler is denied unless its roles allow it: `guard` is a dependency of the whole application.

A handler states its roles with `@allow(…)`, below the route's decorator. A company's visitor reaches only paths of that
company (`{company}`), unless the handler narrows itself (`own=True`). What a browser sends to change something carries
the token of its cookie (`csrf_token`), whether or not anybody is signed in.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from delivery.services import Services
from operations.audit import Actor, ActorKind
from operations.board import BoardKeeper

Handler = TypeVar("Handler", bound=Callable[..., Any])

SAFE: Final = ("GET", "HEAD", "OPTIONS")
EVENT_STREAM: Final = "text/event-stream"


class Role(StrEnum):
    """What a visitor is. `ANYBODY` is whoever has not signed in."""

    OPERATOR = "operator"
    VIEWER = "viewer"
    COMPANY = "company"
    ANYBODY = "anybody"


ALL: Final = (Role.OPERATOR, Role.VIEWER, Role.COMPANY, Role.ANYBODY)
SIGNED_IN: Final = (Role.OPERATOR, Role.VIEWER, Role.COMPANY)


@dataclass(frozen=True)
class Visitor:
    """Who makes a request. `company`: the only one that a visitor of role company sees."""

    role: Role
    name: str = ""
    company: str = ""

    @property
    def may_act(self) -> bool:
        """Whether this visitor may retry and skip events."""
        return self.role in (Role.OPERATOR, Role.COMPANY)

    @property
    def actor(self) -> Actor:
        """Who this is for the audit log."""
        return Actor(ActorKind.LINK if self.role is Role.COMPANY else ActorKind.ACCOUNT, self.name)


NOBODY: Final = Visitor(Role.ANYBODY)


class Rule(NamedTuple):
    """Whom a handler is for. `own`: it shows a company's visitor that company alone by itself."""

    roles: tuple[Role, ...] = ()
    own: bool = False


class SignInNeeded(Exception):
    """Nobody is signed in, and the page is for somebody."""


def allow(*roles: Role, own: bool = False) -> Callable[[Handler], Handler]:
    """Mark a handler as allowed for these roles."""

    def marked(handler: Handler) -> Handler:
        handler.rule = Rule(roles, own)  # type: ignore[attr-defined]
        return handler

    return marked


def rule_of(handler: object) -> Rule:
    """The handler's rule; one that allows nobody where it states none."""
    found: Rule = getattr(handler, "rule", Rule())
    return found


async def guard(request: Request) -> None:
    """Let the request through to its handler, or raise `SignInNeeded` or `HTTPException`: 403, or 404 for what the
    visitor shall not even learn of.
    """
    rule = rule_of(request.scope.get("endpoint"))
    visitor = request.state.visitor = await run_in_threadpool(_visitor, request)
    if not permitted(rule, visitor, request.path_params.get("company")):
        if visitor.role is Role.ANYBODY and rule.roles:
            raise SignInNeeded
        raise HTTPException(404 if visitor.role is Role.COMPANY or not rule.roles else 403)
    if request.method not in SAFE:
        await _check_form(request)


def permitted(rule: Rule, visitor: Visitor, company: str | None) -> bool:
    """Whether the rule lets this visitor in. `company`: of the path. Pure."""
    if visitor.role not in rule.roles:
        return False
    if visitor.role is not Role.COMPANY or Role.ANYBODY in rule.roles or rule.own:
        return True
    return company == visitor.company


def visitor_of(request: Request) -> Visitor:
    """Who makes the request, once `guard` has run; nobody before."""
    found: Visitor = getattr(request.state, "visitor", NOBODY)
    return found


def narrowed(request: Request, company: str) -> str:
    """The company that a page is to show: a company's visitor gets its own, whatever is asked for."""
    visitor = visitor_of(request)
    return visitor.company if visitor.role is Role.COMPANY else company


# The cookie: a random text. Where it names a session, somebody is signed in.


def cookie_name(request: Request) -> str:
    return "__Host-console" if is_secure(request) else "console"


def is_secure(request: Request) -> bool:
    """Whether the cookie is for https alone: always, but where the console's own address is plain http."""
    address = services_of(request).settings.console_url
    return address.startswith("https:") if address else request.url.scheme == "https"


def cookie_of(request: Request) -> str:
    """The browser's cookie; a new one, which the response sets, where it sent none."""
    held: str = getattr(request.state, "cookie", "") or request.cookies.get(cookie_name(request), "")
    if not held:
        held = request.state.new_cookie = secrets.token_urlsafe(32)
    request.state.cookie = held
    return held


def renew_cookie(request: Request, cookie: str = "") -> None:
    """The response gives the browser this cookie, or one that names no session, and the old one counts no more."""
    request.state.cookie = request.state.new_cookie = cookie or secrets.token_urlsafe(32)


def csrf_token(request: Request) -> str:
    """What a form of this browser carries. It tells nobody the cookie."""
    return hashlib.sha256(b"csrf:" + cookie_of(request).encode(errors="replace")).hexdigest()


def browser_of(request: Request) -> str:
    """Names the browser without telling its cookie, for what is bound to it (a consent's state)."""
    return hashlib.sha256(b"browser:" + cookie_of(request).encode(errors="replace")).hexdigest()


def services_of(request: Request) -> Services:
    """The services of the process."""
    found: Services = request.app.state.services
    return found


def board_of(request: Request) -> BoardKeeper:
    """The board of the process."""
    found: BoardKeeper = request.app.state.board
    return found


# What handlers take
Serving = Annotated[Services, Depends(services_of)]
Boards = Annotated[BoardKeeper, Depends(board_of)]


def _visitor(request: Request) -> Visitor:
    cookie = request.cookies.get(cookie_name(request), "")
    by_itself = request.headers.get("accept") == EVENT_STREAM  # a page that is open, and perhaps nobody at it
    stores = services_of(request).stores
    session = stores.sessions.find(cookie, used=not by_itself) if cookie else None
    if session is None or (session.link and not stores.mail_links.is_current(session.company, session.link)):
        return NOBODY
    return Visitor(Role(session.role), session.name, session.company)


async def _check_form(request: Request) -> None:
    """Raises 403 where the request is no form of one of our own pages in this browser."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403)
    given = request.headers.get("x-csrf-token") or (await request.form()).get("csrf")
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(errors="replace"), csrf_token(request).encode()
    ):
        raise HTTPException(403)
