"""A proxy before the stand-in of Fortnox: it passes each request on, and spoils the answers to some companies."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import requests

from tests.malformed.answers import malformed_answer

PASSED_ON = ("authorization", "content-type", "accept")


class Proxy(ThreadingHTTPServer):
    """Spoils answers to the tenants in `odd`, as told by `spoil`. `fortnox`: the stand-in's origin."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fortnox = ""
        self.odd: set[int] = set()
        self.left = 0
        self.names: list[str] = []
        self._seed = 0
        self._first = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spoil(self, seed: int, first: int, count: int) -> None:
        """Spoil the next answers with `count` variants of this seed, from number `first` on."""
        self._seed, self._first, self.left, self.names = seed, first, count, []

    def spoilt(self, tenant: int | None) -> tuple[bytes, ...] | None:
        """The bytes of the next malformed answer; None where the true one is due."""
        with self._lock:
            if tenant not in self.odd or not self.left:
                return None
            self.left -= 1
            name, pieces = malformed_answer(Random(f"transfers {self._seed} {self._first + len(self.names)}"))
            self.names.append(name)
            return pieces

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
        true = requests.request(
            self.command, self.server.fortnox + self.path, headers=headers, data=body, timeout=60, allow_redirects=False
        )
        if pieces := self.server.spoilt(self._tenant()):
            self.wfile.write(b"".join(pieces))
            return
        self.send_response(true.status_code)
        self.send_header("Content-Type", true.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(true.content)))
        self.end_headers()
        self.wfile.write(true.content)

    do_GET = do_POST = do_PUT = do_any

    def _tenant(self) -> int | None:
        """The tenant of the access token."""
        _, dot, rest = (self.headers.get("Authorization") or "").partition(".")
        claims = rest.partition(".")[0]
        if not dot:
            return None
        return int(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["tenantId"])

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield proxy
        proxy.shutdown()
