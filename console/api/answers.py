"""What the door answers where it does not do what was asked: JSON with `errors`, each with a message."""

from collections.abc import Mapping
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from config.redis import is_outage
from messages import Message
from messages.catalogue import say
from operations.errors import OperationError, UnknownEvent, WrongArgument

log = structlog.get_logger(__name__)

SAID: Final = (400, 401, 404, 405, 408, 413, 415, 429, 500, 503)  # statuses with a sentence of their own


class ApiFault(BaseModel):
    """What is wrong. `line` and `path`: of the body, where the fault has a place in it."""

    line: int | None = None
    path: str | None = None
    message: str


class ApiFaults(BaseModel):
    """Why nothing was done."""

    errors: list[ApiFault]


class ApiRefusal(Exception):
    """The request is not served."""

    def __init__(self, status: int, message: Message | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.status = status
        self.message = message
        self.headers = headers

    def __str__(self) -> str:
        return str(self.status)


def refusal(status: int, message: Message | None = None, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer with this status; its sentence is the status's own, unless there is a message."""
    said = message or Message(f"api.error-{status if status in SAID else 500 if status >= 500 else 400}")
    return faulty(status, [ApiFault(message=say(said))], headers)


def faulty(status: int, faults: list[ApiFault], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that names these faults."""
    content = ApiFaults(errors=faults).model_dump(exclude_none=True)
    return JSONResponse(content, status, headers=dict(headers or {}))


def add_handlers(app: FastAPI) -> None:
    """Answer every error with JSON."""
    app.add_exception_handler(ApiRefusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(OperationError, _not_done)
    app.add_exception_handler(RedisError, _redis)
    app.add_exception_handler(Exception, _bug)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiRefusal)
    return refusal(error.status, error.message, error.headers)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, headers=error.headers)


async def _wrong(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [ApiFault(path=".".join(map(str, one["loc"][1:])), message=one["msg"]) for one in error.errors()]
    return faulty(422, faults)


async def _not_done(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OperationError)
    unknown = isinstance(error, UnknownEvent | WrongArgument)
    return refusal(404) if unknown else refusal(409, error.message)


async def _redis(request: Request, error: Exception) -> JSONResponse:
    """503 where Redis is away: what was sent may be sent again. 500 where what it holds is damaged."""
    assert isinstance(error, RedisError)
    log.warning("api.redis_problem", error=type(error).__name__)
    return refusal(503, headers={"retry-after": "5"}) if is_outage(error) else refusal(500)


async def _bug(request: Request, error: Exception) -> JSONResponse:
    return refusal(500)
