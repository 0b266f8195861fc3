"""Opens the ports, runs uvicorn in the sandbox's event loop and stops it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sandbox.clock import elapsed


@dataclass(slots=True)
class Activity:
    """When a client last sent something over its WebSocket, by `elapsed`."""

    at: float


class CuttableProtocol(H11Protocol):
    """Passes each request its transport, so that a fault can cut the connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport, "activity": Activity(elapsed())}


class WatchedSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose pings count as activity."""

    def handle_ping(self) -> None:
        self.app_state["activity"].at = elapsed()
        super().handle_ping()


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers: several servers share one process and are stopped together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def open_socket(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only for sockets that name it;
    # with it on, every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class HttpServer:
    """One ASGI application on one socket."""

    def __init__(self, application: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        self._server = QuietServer(
            uvicorn.Config(
                application,
                http=CuttableProtocol,
                ws=WatchedSocket,
                ws_max_size=64_000_000,  # thousands of tokens in one command
                ws_ping_interval=None,  # whether Fortnox pings is not known
                lifespan="off",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the applications' own: by the sandbox's clock
                timeout_keep_alive=75,  # longer than any client's pool keeps an idle connection in a test
                timeout_graceful_shutdown=1,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
