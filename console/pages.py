"""Renders pages: a template, in the reader's language, with what every page has."""

import hashlib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.access import SAFE, Role, Visitor, csrf_token, services_of, visitor_of
from console.receipts import receipt_of
from console.sentences import sentences
from messages import Message
from messages.catalogue import Language, without_commands

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
LANGUAGES: Final[Mapping[Language, str]] = {"sv": "Svenska", "en": "English"}
LANGUAGE_COOKIE: Final = "language"

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The template as a whole page."""
    return HTMLResponse(rendered(request, template, **values), status)


def rendered(request: Request, template: str, **values: Any) -> str:
    """The template as text. It has what `console.sentences` gives."""
    language = language_of(request)
    return TEMPLATES.get_template(template).render(
        language=language,
        languages=LANGUAGES,
        visitor=visitor_of(request),
        csrf=csrf_token(request),
        receipt=receipt_of(request),
        path=request.url.path,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        readable=request.method in SAFE,
        static=static_address,
        menu=menu,
        address=address,
        **sentences(language, partial(_told, request)),
        **values,
    )


def _told(request: Request, message: Message) -> Message:
    """The message as this visitor gets it: a company's people have no command line."""
    if visitor_of(request).role is not Role.COMPANY:
        return message
    return without_commands(message, services_of(request).settings.contact or Message("mail.the-operator"))


def menu(visitor: Visitor) -> list[tuple[str, Message]]:
    """The address and the label of each page that the visitor's menu has."""
    transfers = ("/transfers", Message("console.menu-transfers"))
    failures = ("/failures", Message("console.menu-failures"))
    if visitor.role is Role.COMPANY:
        own = address("companies", visitor.company)
        return [(own, Message("console.menu-company")), transfers, failures]
    audit = ("/audit", Message("console.menu-audit"))
    return [("/", Message("console.menu-overview")), transfers, failures, audit]


def language_of(request: Request) -> Language:
    """The language that the reader chose, or else the browser's; Swedish where it wants neither of ours."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    wanted = [chosen] if chosen else _accepted(request.headers.get("accept-language", ""))
    return next((language for name in wanted for language in LANGUAGES if name == language), "sv")


def address(*parts: str, **query: str | None) -> str:
    """A path of the console from its parts, each escaped, and a query of what is not empty."""
    given = {name: value for name, value in query.items() if value}
    return "/" + "/".join(quote(part, safe="") for part in parts) + (f"?{urlencode(given)}" if given else "")


def static_address(name: str) -> str:
    """The address of a file in `static/`, another one for each content."""
    return f"/static/{name}?{static_files()[name][1]}"


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """The files in `static/`, each with its digest."""
    contents = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir())}
    return {name: (content, hashlib.sha256(content).hexdigest()[:16]) for name, content in contents.items()}


def _accepted(header: str) -> list[str]:
    """The languages of `Accept-Language`, the most wanted first, without their regions."""
    weighed = []
    for at, part in enumerate(header.split(",")[:20]):
        name, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), at, name.strip().partition("-")[0].lower()))
        except ValueError:
            continue
    return [name for _, _, name in sorted(weighed)]
