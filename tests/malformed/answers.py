"""Malformed answers of Fortnox and Moment: pieces of bytes for `tests.unkind`. Pure."""

from random import Random
from typing import Any

from tests.malformed.oddities import SPOILS, as_json, spoilt

STATUSES = (200, 200, 200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 599, 999)
HEADERS = (
    b"Content-Type: application/json",
    b"Content-Type: \xff",
    b"Content-Type: text/html; charset=utf-7",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Transfer-Encoding: chunked",
    b"Retry-After: -1",
    b"Retry-After: 1e999",
    b"Retry-After: Mon, 01 Jan 0001 00:00:00 +9999",
    b"Location: /x\xff",
    b"Location: http://[",
    b"Date: Mon, 01 Jan 9999 23:59:59 -99999999999999",
    b"Set-Cookie: a=\xff; expires=" + b"0" * 3_000,
    b"Content-Length: 5",
    b"nonsense",
    b": x",
)
DOCUMENTS: tuple[Any, ...] = (
    {
        "Invoice": {
            "DocumentNumber": "1001",
            "CustomerNumber": "10001",
            "Total": 12500,
            "InvoiceDate": "2026-11-20",
            "Booked": False,
            "InvoiceRows": [
                {"AccountNumber": 3010, "Price": 1250, "DeliveredQuantity": "8", "VAT": 25, "Total": 10000}
            ],
        }
    },
    {
        "SupplierInvoices": [{"GivenNumber": "1", "InvoiceDate": "2026-11-20", "Total": "125.00", "Booked": True}],
        "MetaInformation": {"@TotalPages": 1, "@TotalResources": 1, "@CurrentPage": 1},
    },
    {"ErrorInformation": {"error": 1, "message": "Perioden är låst", "code": 2000401}},
    {"Customer": {"CustomerNumber": "10001", "Name": "Skånska Bygg AB", "OrganisationNumber": "556677-8899"}},
    {"access_token": "a.b.c", "refresh_token": "r", "expires_in": 3600, "scope": "invoice", "token_type": "bearer"},
    {"content": [{"projectNumber": "1"}], "page": {"number": 0, "totalPages": 1, "totalElements": 1}},
    {"File": {"Id": "1", "ArchiveFileId": "abc", "Name": "a.pdf"}},
)


def malformed_answer(chance: Random) -> tuple[str, tuple[bytes, ...]]:
    """What is wrong with it, and the answer, head and body."""
    name, document = spoilt(chance, chance.choice(DOCUMENTS))
    names, body = [name], as_json(chance, document)
    if chance.random() < 0.3:
        spoil = chance.choice(list(SPOILS))
        names.append(spoil)
        body = SPOILS[spoil](chance, body)
    status = chance.choice(STATUSES)
    lines = [b"HTTP/1.1 %d X" % status]
    if chance.random() < 0.3:
        lines.append(chance.choice(HEADERS))
        names.append(repr(lines[-1][:40]))
    if chance.random() < 0.9:
        lines.append(b"Content-Length: %d" % (len(body) + chance.choice((0,) * 18 + (1, -1))))
    return f"{status}; " + "; ".join(names), (b"\r\n".join(lines) + b"\r\n\r\n", body)


def good_answer(body: bytes) -> tuple[bytes, ...]:
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body), body)
