"""Malformed entries for the stream `moment:events`. Pure."""

from random import Random

from tests.malformed.events import malformed_event
from tests.malformed.oddities import TEXTS

Entry = dict[bytes, bytes]


def malformed_entry(chance: Random, marker: str, company: str) -> tuple[str, Entry]:
    """What is wrong with it, and the entry's fields. They hold the marker."""
    name, event = malformed_event(chance, marker, company)
    kind = chance.choice(("event",) * 6 + ("field renamed", "fields added", "empty", "many fields"))
    other = chance.choice(TEXTS).encode("utf-8", "surrogatepass")[:1_000] or b"x"
    if kind == "field renamed":
        return f"{kind}; {name}", {other: event}
    if kind == "fields added":
        return f"{kind}; {name}", {b"company": other, b"event": event, other: b"\xff\x00"}
    if kind == "empty":
        return kind, {b"event": b"", b"marker": marker.encode()}
    if kind == "many fields":
        return kind, {b"f%d" % n: marker.encode() for n in range(500)}
    return name, {b"event": event}
