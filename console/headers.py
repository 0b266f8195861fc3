"""What every response carries, and what no request may be: the headers, the host, the size of a form."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config import Settings
from config.settings import SANDBOX_HOSTS
from console.access import cookie_name, is_secure
from console.errors import error_page

MOST: Final = 100_000  # bytes of a form; `/api/` has limits of its own
HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guarded:
    """The application behind the checks that need no handler. Sets the cookie that a handler gave the browser."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = allowed_hosts(settings)
        self._headers = HEADERS | {"content-security-policy": policy(settings)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, headers = Request(scope), Headers(scope=scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(request, MutableHeaders(scope=message))
            await send(message)

        if scope["path"] != "/healthz" and _host(headers.get("host", "")) not in self._hosts:
            await PlainTextResponse("unknown host", 400)(scope, receive, answer)
        elif not scope["path"].startswith("/api/") and _too_large(headers):
            scope["app"] = self._app  # as it does itself, once it is asked
            await error_page(request, 413)(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)

    def _complete(self, request: Request, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if "app" not in request.scope:
            return
        if is_secure(request):
            headers.setdefault("strict-transport-security", "max-age=31536000")
        if cookie := getattr(request.state, "new_cookie", ""):
            secure = "; Secure" if is_secure(request) else ""
            headers.append("set-cookie", f"{cookie_name(request)}={cookie}; Path=/; HttpOnly; SameSite=Lax{secure}")


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """The hosts, without a port, that requests may be for: the console's address; without one, this machine's."""
    return frozenset({_host(settings.console_url.partition("://")[2])}) if settings.console_url else SANDBOX_HOSTS


def policy(settings: Settings) -> str:
    """The content security policy. A form may lead to Fortnox's consent page."""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self' {settings.fortnox_auth_url}; base-uri 'none'; frame-ancestors 'none'"
    )


def _host(text: str) -> str:
    """The host without its port, in lower case."""
    host = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    return host.lower()


def _too_large(headers: Headers) -> bool:
    """Whether the body is larger than a form can be, or does not say how large it is."""
    length = headers.get("content-length")
    if length is None:
        return "transfer-encoding" in headers
    return not length.isdecimal() or int(length) > MOST
