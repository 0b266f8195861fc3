"""Odd values, and ways to spoil JSON: as a tree, as text and as bytes. Pure: the same random source gives the same."""

import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, Final

RAW: Final = "@raw:"  # a string that begins so becomes what follows it, without quotation marks

TEXTS: Final = (
    *(
        "",
        " ",
        "\n",
        "\t",
        "\x00",
        "a\x00b",
        "\x1b[31mred\x1b[0m",
        "\x9b31m",
        "\u202eabc",
        "\u2066a",
        "\ufeff",
        "\u0301",
    ),
    *(
        "\ud800",
        "a\ud800b",
        "\udfff\ud800",
        "😀" * 200,
        "é" * 5_000,
        "a" * 300,
        "a" * 30_000,
        "Ö\r\nBcc: x@y.example",
    ),
    *(
        "10001:settled",
        "acme:e1",
        "a/b/c",
        "../../etc/passwd",
        "mf:event:acme:e1",
        "*",
        "{}",
        "%s%n",
        "{{7*7}}",
        "${x}",
    ),
    *("NaN", "Infinity", "-0", "1e5", "1e999999999", "0x10", "1_000", "１２３", "٣", "²", "1,5", "1 000", "9" * 5_000),
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-02-30", "2026-11-22T24:00:00Z", "20261122"),
    *("1989-12-31T23:59:59Z", "2200-01-02T00:00:00Z", "2026-11-22T09:00:00+99:99", "2026-W48", "1764313200", "now"),
    *("SEK ", "sek", "XXX", "UK", "anna@", "a@b@c", '"a b"@c.example', "http://127.0.0.1/x", "file:///etc/passwd"),
    *("data:,x", "https://[", "https://user:pass@app.moment.team/x", "JVBERi0xLjQ", "====", "gAAAAA=="),
)
NUMBERS: Final = (
    0,
    -1,
    1,
    0.1,
    -0.0,
    1e308,
    2**31,
    2**53 - 1,
    2**53,
    2**63,
    2**64,
    10**29,
    10**31,
    -(10**18),
    True,
    False,
)
LITERALS: Final = (
    *("1e999999999", "-1E+999999999", "1e-999999999", "9" * 1_000, "0." + "1" * 500, "NaN", "Infinity", "-Infinity"),
    *(
        "01",
        "1.",
        ".5",
        "+1",
        "0x1",
        "1e",
        "--1",
        "undefined",
        "'a'",
        "None",
        "",
        "1 2",
        '"\\ud800"',
        '"\\u12"',
        '"\\x41"',
    ),
)

Spoil = Callable[[Random, bytes], bytes]


def odd(chance: Random) -> Any:
    """An odd value."""
    return chance.choice((_text, _number, _literal, _structure, _nothing))(chance)


def _text(chance: Random) -> Any:
    return chance.choice(TEXTS)


def _number(chance: Random) -> Any:
    return chance.choice(NUMBERS)


def _literal(chance: Random) -> Any:
    return RAW + chance.choice(LITERALS)


def _nothing(chance: Random) -> Any:
    return None


def _structure(chance: Random) -> Any:
    return chance.choice(
        ([], {}, [[]], [None] * 1_000, {"": ""}, {"__proto__": {}}, {str(n): n for n in range(500)}, deep(chance))
    )


def deep(chance: Random) -> Any:
    value: Any = "x"
    for _ in range(chance.choice((29, 31, 32, 33, 100))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def spoilt(chance: Random, document: Any) -> tuple[str, Any]:
    """A copy of the document with one place changed, and what was done."""
    document = deepcopy(document)
    path, holder, place = chance.choice(list(_places(document, "")))
    done = chance.choice(("replaced", "replaced", "replaced", "removed", "renamed", "wrapped", "added"))
    if done == "replaced":
        holder[place] = value = odd(chance)
        return f"{path} = {str(value)[:40]!r}", document
    if done == "wrapped":
        holder[place] = [holder[place]]
    elif isinstance(holder, list):
        holder.insert(place, odd(chance))
    elif done == "added":
        holder[chance.choice(TEXTS)[:50] or "extra"] = odd(chance)
    else:
        value = holder.pop(place)
        if done == "renamed":
            holder[str(place).swapcase()] = value
    return f"{path} {done}", document


def _places(value: Any, path: str) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in list(pairs):
        yield f"{path}.{place}".lstrip("."), value, place
        yield from _places(inner, f"{path}.{place}")


def as_json(chance: Random, document: Any) -> bytes:
    """The document as bytes of JSON, or of something like it where it holds a literal."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    while (at := text.find(f'"{RAW}')) >= 0:
        end = text.index('"', at + 1)
        while text[end - 1] == "\\":
            end = text.index('"', end + 1)
        literal = json.loads(text[at : end + 1])[len(RAW) :]
        text = text[:at] + literal + text[end + 1 :]
    return text.encode("utf-8", "surrogatepass")


def _latin(chance: Random, raw: bytes) -> bytes:
    return raw.decode("utf-8", "replace").replace("Å", "\xc5").encode("latin-1", "replace") + "Ö".encode("latin-1")


def _place(chance: Random, raw: bytes) -> int:
    """Somewhere behind the marker, which comes first."""
    return chance.randrange(min(40, len(raw) - 1), len(raw))


def _cut(chance: Random, raw: bytes) -> bytes:
    return raw[: _place(chance, raw)]


def _flipped(chance: Random, raw: bytes) -> bytes:
    at = _place(chance, raw)
    return raw[:at] + bytes([raw[at] ^ chance.choice((1, 0x20, 0x80, 0xFF))]) + raw[at + 1 :]


def _inserted(chance: Random, raw: bytes) -> bytes:
    at = _place(chance, raw)
    return (
        raw[:at]
        + chance.choice((b"\x00", b"\xff", b'"', b"}", b"]", b",", b"\\", b"/* x */", b"\xed\xa0\x80"))
        + raw[at:]
    )


SPOILS: Final[dict[str, Spoil]] = {
    "cut": _cut,
    "a byte changed": _flipped,
    "a byte inserted": _inserted,
    "Latin-1": _latin,
    "UTF-16": lambda chance, raw: raw.decode("utf-8", "replace").encode("utf-16"),
    "UTF-32": lambda chance, raw: raw.decode("utf-8", "replace").encode("utf-32-be"),
    "BOM": lambda chance, raw: b"\xef\xbb\xbf" + raw,
    "compressed": lambda chance, raw: gzip.compress(raw, mtime=0),
    "twice": lambda chance, raw: raw + raw,
    "in a list": lambda chance, raw: b"[" + raw + b"]",
    "as text": lambda chance, raw: json.dumps(raw.decode("utf-8", "replace")).encode(),
    "single quotation marks": lambda chance, raw: raw.replace(b'"', b"'"),
    "more after it": lambda chance, raw: raw + chance.choice((b"\x00", b"x", b"}", b",", b"\n[]", b" " * 100_000)),
    "a string without an end": lambda chance, raw: raw[:-1] + b',"x":"' + b"a" * 100_000,
    "quotation marks": lambda chance, raw: raw[:-1] + b'"' * 100_001,
    "brackets": lambda chance, raw: raw[:-1] + b',"x":' + b"[" * chance.choice((40, 100_000)),
    "braces": lambda chance, raw: raw[:-1] + b',"x":' + b'{"a":' * 50_000,
    "backslashes": lambda chance, raw: raw[:-1] + b',"x":"' + b"\\" * 100_001,
}
