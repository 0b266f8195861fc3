"""Removes secrets from text before it is shown, logged or stored. Pure. No I/O."""

import re
from collections.abc import Mapping

HIDDEN = "[hidden]"
LONGEST = 10_000  # characters; a longer text is cut first, so that no expression takes long

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_SECRET_NAMES = r"access_?token|refresh_?token|client_?secret|authorization_?code|api_?key|password|code|token"
_PATTERNS = (
    re.compile(r"(?i)\b(?P<keep>bearer|basic)\s+[\w.~+/=-]{6,}"),
    re.compile(r"(?P<keep>)\beyJ[\w-]++(?:\.[\w-]*+)++"),  # a JWT, wherever it stands
    re.compile(rf'(?i)(?P<keep>"(?:{_SECRET_NAMES})"\s*+:\s*+)"(?:[^"\\]|\\.)*+"?'),  # the text may be cut
    re.compile(rf"(?i)(?P<keep>\b(?:{_SECRET_NAMES})=)[^&\s]+"),
    re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{0,20}://)[^/\s@]+@"),  # user:password@ in an address
)


def redact(text: str) -> str:
    """Return the text with every token, secret and password replaced, cut at `LONGEST` characters."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    for pattern in _PATTERNS:
        text = pattern.sub(_hide, text)
    return text


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers as they may be shown."""
    return {name: HIDDEN if name.lower() in _SECRET_HEADERS else redact(value) for name, value in headers.items()}


def _hide(found: re.Match[str]) -> str:
    kept = found["keep"]
    return f"{kept}{' ' if kept[-1:].isalpha() else ''}{HIDDEN}"
