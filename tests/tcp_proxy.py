"""A TCP proxy whose target can change while its own address stays, as a name does when a Redis fails over.

with TcpProxy(port) as proxy:
    proxy.port          # where clients connect
    proxy.target = 6380 # for new connections; the old ones stay where they are
    proxy.cut()         # closes every connection
    proxy.stall({…})    # these connections carry nothing any more, and do not break
"""

import socket
import ssl
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from local.redis import LOOPBACK

Change = Callable[[bytes], bytes]


@dataclass(eq=False)
class _Pair:
    """A client's connection, and the one to the target that carries on what it says."""

    client: socket.socket
    server: socket.socket
    flows: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.flows.set()
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class TcpProxy:
    """Forwards bytes to a port of this machine. `change` is applied to what the target answers.

    With `tls`, clients have to speak TLS. `heard` is what clients said, `refused` counts handshakes that failed.
    """

    def __init__(self, target: int, *, change: Change = bytes, tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self.heard = b""
        self.refused = 0
        self.is_silent = False  # new connections are accepted, and carry nothing
        self._keeps_heard = tls is not None
        self._tls = tls
        self._change = change
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Close every connection."""
        for pair in self._all():
            pair.close()

    def stall(self, ports: Collection[int]) -> None:
        """Stop what flows from and to these ports, as the target sees its clients, without closing anything."""
        for pair in self._all():
            with suppress(OSError):
                if pair.server.getsockname()[1] in ports:
                    pair.flows.clear()

    def _all(self) -> list[_Pair]:
        with self._lock:
            return list(self._pairs)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOOPBACK, self.target), timeout=10)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        try:
            client = client if self._tls is None else self._tls.wrap_socket(client, server_side=True)
        except OSError:
            self.refused += 1
            client.close()
            server.close()
            return
        pair = _Pair(client, server)
        if not self.is_silent:
            pair.flows.set()
        with self._lock:
            self._pairs.add(pair)
        back = threading.Thread(target=_forward, args=(pair, server, client, self._change), daemon=True)
        back.start()
        _forward(pair, client, server, self._hear)
        back.join()
        with self._lock:
            self._pairs.discard(pair)
        client.close()
        server.close()

    def _hear(self, data: bytes) -> bytes:
        if self._keeps_heard:
            self.heard += data
        return data


def _forward(pair: _Pair, source: socket.socket, sink: socket.socket, change: Change) -> None:
    source.settimeout(None)
    with suppress(OSError):
        while data := source.recv(65536):
            pair.flows.wait()
            sink.sendall(change(data))
    pair.close()
