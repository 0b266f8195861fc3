"""What went wrong, as a page or, for programs, as JSON."""

from typing import Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from console.access import EVENT_STREAM, SignInNeeded
from console.pages import page
from delivery.bugs import report_error
from messages import Message
from messages.catalogue import say
from operations.errors import OperationError, UnknownCompany, UnknownEvent

log = structlog.get_logger(__name__)

SAID: Final = (400, 401, 403, 404, 405, 413, 422, 429, 500, 503)  # statuses with a sentence of their own


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a page of its own."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(StarletteHTTPException, _http)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(UnknownCompany, _unknown)
    app.add_exception_handler(UnknownEvent, _unknown)
    app.add_exception_handler(OperationError, _refused)
    app.add_exception_handler(RedisError, _redis)
    app.add_exception_handler(Exception, _bug)


def not_found() -> HTTPException:
    """What is not there, and what the visitor shall not learn of, look the same."""
    return HTTPException(404)


def error_page(request: Request, status: int, detail: Message | None = None) -> Response:
    """The page of an error; JSON below `/api/`."""
    if request.url.path.startswith("/api/"):
        message = detail or Message(f"console.error-{_said(status)}")
        return JSONResponse({"errors": [{"message": say(message)}]}, status)
    return page(request, "error.html", status=status, code=_said(status), detail=detail)


def _said(status: int) -> int:
    return status if status in SAID else 500 if status >= 500 else 400


async def _sign_in(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return error_page(request, 401)
    if request.headers.get("accept") == EVENT_STREAM:  # a page that is still open
        return error_page(request, 403)
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/sign-in?to={quote(request.url.path + query, safe='')}", 303)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    response = error_page(request, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _wrong_request(request: Request, error: Exception) -> Response:
    return error_page(request, 422)


async def _unknown(request: Request, error: Exception) -> Response:
    return error_page(request, 404)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, OperationError)
    return error_page(request, 422, error.message)


async def _redis(request: Request, error: Exception) -> Response:
    log.warning("console.redis_away", error=type(error).__name__)
    response = error_page(request, 503)
    response.headers["retry-after"] = "5"
    return response


async def _bug(request: Request, error: Exception) -> Response:
    report_error(error)
    return error_page(request, 500)
