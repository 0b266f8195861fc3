"""Reads the body of a request: of bounded size, in bounded time, and together within a bounded memory.

Nothing parses a body before it has been read so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from console.api.answers import ApiRefusal
from messages import Message

LINES: Final = 10_000  # of one body
PATIENCE: Final = 30.0  # seconds for a whole body
AT_ONCE: Final = 8  # bodies of the largest size that a process has in memory


class BodyMemory:
    """How many bytes of bodies the process has in memory. Used in the event loop's thread alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.used = 0

    def take(self, size: int) -> None:
        """Raises `ApiRefusal` with 503 where so many bytes more are too many."""
        if self.used + size > self._most:
            raise ApiRefusal(503, headers={"retry-after": "1", "connection": "close"})
        self.used += size

    def free(self, size: int) -> None:
        self.used -= size


@asynccontextmanager
async def read_body(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body within the block. Raises `ApiRefusal`: 413 for more than `most` bytes, 408 where it takes too long."""
    if _says_more_than(request, most):
        raise _too_large(most)
    memory: BodyMemory = request.app.state.body_memory
    body = bytearray()
    try:
        await _fill(body, request, memory, most)
        yield bytes(body)
    finally:
        memory.free(len(body))


def check_lines(body: bytes) -> None:
    """Raises `ApiRefusal` with 413 where the body has more lines than one may have."""
    if body.count(b"\n") > LINES:
        raise ApiRefusal(413, Message("api.too-many-lines", most=str(LINES)))


async def _fill(body: bytearray, request: Request, memory: BodyMemory, most: int) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                if len(body) + len(chunk) > most:
                    raise _too_large(most)
                memory.take(len(chunk))
                body += chunk
    except TimeoutError:
        raise ApiRefusal(408, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise ApiRefusal(400) from None  # nobody reads it


def _says_more_than(request: Request, most: int) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and (len(length) > 18 or int(length) > most)


def _too_large(most: int) -> ApiRefusal:
    return ApiRefusal(413, Message("api.body-too-large", most=str(most)), {"connection": "close"})
