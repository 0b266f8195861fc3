"""A TCP proxy whose target can change while its own address stays, as a name does when a Redis fails over.

with TcpProxy(port) as proxy:
    proxy.port          # where clients connect
    proxy.target = 6380 # for new connections; the old ones stay where they are
    proxy.cut()         # closes every connection
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from local.redis import LOOPBACK

Change = Callable[[bytes], bytes]


class TcpProxy:
    """Forwards bytes to a port of this machine. `change` is applied to what the target answers.

    With `tls`, clients have to speak TLS, and `heard` is what they said. `refused` counts handshakes that failed.
    """

    def __init__(self, target: int, *, change: Change = bytes, tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self.heard = b""
        self.refused = 0
        self._tls = tls
        self.refuses = False
        """New connections are closed at once."""
        self._change = change
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
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
        with self._lock:
            ended, self._open = self._open, set()
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = None if self.refuses else self._connected()
            if server is None:
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
        with self._lock:
            self._open |= {client, server}
        threading.Thread(target=self._forward, args=(server, client, self._change), daemon=True).start()
        self._forward(client, server, self._hear)

    def _hear(self, data: bytes) -> bytes:
        self.heard += data
        return data

    def _connected(self) -> socket.socket | None:
        try:
            return socket.create_connection((LOOPBACK, self.target), timeout=10)
        except OSError:
            return None

    def _forward(self, source: socket.socket, sink: socket.socket, change: Change) -> None:
        source.settimeout(None)
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(change(data))
        for one in (source, sink):
            with self._lock:
                self._open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if source.fileno() >= 0:
            source.close()
