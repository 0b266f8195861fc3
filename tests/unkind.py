"""A server that does what a script says with its bytes."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Script = Iterable[bytes]

OK = b"HTTP/1.1 200 OK\r\n"


class UnkindServer:
    """Answers a connection's first request with `script`, a piece every `pause` seconds, for at most a minute.

    With `keeps` it answers the connection's later requests too.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.script: Script = ()
        self.pause = 0.0
        self.keeps = False
        self.connections = 0
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.closed = threading.Event()

    def serve(self) -> None:
        while not self.closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection, self.script, self.pause), daemon=True).start()

    def _answer(self, connection: socket.socket, script: Script, pause: float) -> None:
        until = time.monotonic() + 60
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                for piece in script:
                    connection.sendall(piece)
                    if time.monotonic() > until or (pause and self.closed.wait(pause)):
                        return
                if not self.keeps:
                    return


@contextmanager
def unkind_server() -> Iterator[UnkindServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = UnkindServer(listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closed.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def drops(text: bytes) -> Iterator[bytes]:
    """The text byte by byte."""
    return (text[at : at + 1] for at in range(len(text)))


def for_ever(*pieces: bytes) -> Iterator[bytes]:
    return itertools.cycle(pieces)


def answer(body: bytes, *headers: bytes) -> Script:
    return (OK + b"".join(line + b"\r\n" for line in headers) + b"Content-Length: %d\r\n\r\n" % len(body), body)
