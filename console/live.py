"""Parts of a page that change by themselves: server-sent events, each with the part's HTML."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi.responses import StreamingResponse
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from console.access import EVENT_STREAM

EVERY: Final = 1.0  # seconds between two looks
ALIVE: Final = 15  # looks after which something is sent, so that no proxy takes the connection for dead
LONGEST: Final = 120  # looks; the browser then connects anew, with a session that is looked at again
END: Final = "end"

Look = Callable[[], tuple[str, str]]


def live(look: Look) -> StreamingResponse:
    """`look` returns a mark, another one whenever something changed, and the part's HTML; the mark `end` ends it.

    It is asked for the HTML once a second, and the browser gets what is new.
    """
    return StreamingResponse(
        _events(look), media_type=EVENT_STREAM, headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


async def _events(look: Look) -> AsyncIterator[str]:
    last = ""
    for n in range(LONGEST):
        try:
            mark, html = await run_in_threadpool(look)
        except RedisError:
            mark, html = last, ""
        if html and html != last:
            last = html
            yield "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
        elif n % ALIVE == 0:
            yield ": alive\n\n"
        if mark == END:
            yield "event: end\ndata:\n\n"
            return
        await asyncio.sleep(EVERY)
