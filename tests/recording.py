"""Records every body that the Fortnox client sends in this process, to check it against Fortnox's OpenAPI document.

    with recording() as recorder: …

`Http.send` sends all requests. While a recording runs, it records method, path template and body, without
repeats.
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
        """The JSON bodies in order of first sending. Uploads and OAuth's forms are left out: the document has none."""
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
