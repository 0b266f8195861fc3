"""Malformed requests to `POST /api/v1/events`. Pure."""

from random import Random

from tests.malformed.events import malformed_event
from tests.malformed.oddities import TEXTS

JSON, LINES = "application/json", "application/x-ndjson"
Request = tuple[dict[str, str], bytes]


def malformed_request(chance: Random, marker: str, company: str) -> tuple[str, Request]:
    """What is wrong with it, its headers, and its body, in which is one event with the marker."""
    name, event = malformed_event(chance, marker, company)
    kind = chance.choice(("json",) * 5 + ("lines",) * 3 + ("type", "encoding", "blank lines", "mark"))
    if kind == "type":
        return f"{kind}; {name}", ({"content-type": _header(chance)}, event)
    if kind == "encoding":
        return f"{kind}; {name}", ({"content-type": JSON, "content-encoding": _header(chance)}, event)
    if kind == "blank lines":
        return f"{kind}; {name}", ({"content-type": LINES}, b"\n\r\n \n" + event.replace(b"\n", b" ") + b"\n" * 99)
    if kind == "mark":
        return f"{kind}; {name}", ({"content-type": chance.choice((JSON, LINES))}, b"\xef\xbb\xbf" + event)
    return f"{kind}; {name}", ({"content-type": LINES if kind == "lines" else JSON}, event)


def _header(chance: Random) -> str:
    """A value that a client can send: printable ASCII."""
    odd = chance.choice(
        (*TEXTS, f"{JSON}; charset=utf-16", f"{JSON};;", f"{JSON}; charset", f"{LINES}, {JSON}", "gzip")
    )
    return "".join(char for char in odd if 32 < ord(char) < 127)[:5_000]
