"""A local Sentry that keeps what the SDK sends over HTTP."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeSentry:
    """`raw` is all that came, as text; events and check-ins are read from it."""

    dsn: str = ""
    raw: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self._items("event")

    @property
    def check_ins(self) -> list[dict[str, Any]]:
        return self._items("check_in")

    def _items(self, kind: str) -> list[dict[str, Any]]:
        """https://develop.sentry.dev/sdk/data-model/envelopes/: a header, then items of a header and a payload."""
        found = []
        for envelope in tuple(self.raw):
            lines = envelope.splitlines()[1:]
            for header, payload in zip(lines[::2], lines[1::2], strict=False):
                if json.loads(header).get("type") == kind:
                    found.append(json.loads(payload))
        return found


@contextmanager
def running_sentry() -> Iterator[FakeSentry]:
    sentry = FakeSentry()

    class Ingest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sentry.raw.append((gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body).decode())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ingest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sentry.dsn = f"http://public@127.0.0.1:{server.server_port}/1"
    try:
        yield sentry
    finally:
        server.shutdown()
        server.server_close()
