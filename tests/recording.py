"""Every body that the Fortnox client sends in this process, for the check against Fortnox's OpenAPI document.

    with recording() as recorder: …

`Http.send` is the one function through which requests leave; while a recording runs, it notes method, kind of path and
body there, each distinct one once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from fortnox.responses import Call, Reply
from fortnox.transport import Http


class Sent(NamedTuple):
    method: str
    path: str
    body: bytes


class Recorder:
    def __init__(self) -> None:
        self.sent: dict[Sent, None] = {}

    def bodies(self) -> list[Sent]:
        """In order of first sending; JSON only (an upload is no JSON, and OAuth's forms are not in the document)."""
        return [sent for sent in self.sent if sent.path.startswith(("/3/", "/api/"))]


@contextmanager
def recording() -> Iterator[Recorder]:
    recorder = Recorder()
    send = Http.send

    def noting(http: Http, company: str, call: Call, url: str, **options: Any) -> Reply:
        if isinstance(body := options.get("body"), bytes):
            recorder.sent[Sent(call.method, call.path, body)] = None
        return send(http, company, call, url, **options)

    Http.send = noting  # type: ignore[method-assign, assignment]
    try:
        yield recorder
    finally:
        Http.send = send  # type: ignore[method-assign]
