"""Tells encryption keys that somebody could guess from random ones. Pure."""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

LEAST_VARIED: Final = 16  # different bytes among a key's 32: a random key has about 30, an invented one few
DIGESTS: Final = (hashlib.sha256, hashlib.sha3_256, hashlib.blake2s)

# Keys that stand in public documentation.
PUBLISHED: Final = frozenset({
    "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0=",  # this project's sandbox
    "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",  # Fernet's specification, its test vectors
})  # fmt: skip

WORDS: Final = (
    *("", "password", "passw0rd", "secret", "changeme", "change-me", "key", "test", "admin", "default", "example"),
    *("sandbox", "moment", "fortnox", "moment-fortnox", "encryption", "encryption_keys", "encryption-key", "fernet"),
    *("123456", "12345678", "qwerty", "letmein", "hemligt", "lösenord", "hunter2", "correct horse battery staple"),
)


def weakness(key: str) -> str | None:
    """Why the Fernet key can be guessed; None where it looks random. One random key in 10^13 looks guessable."""
    secret = urlsafe_b64decode(key)
    return next((why for why, is_so in _weaknesses(secret) if is_so), None)


def _weaknesses(secret: bytes) -> Iterator[tuple[str, bool]]:
    yield "it is published", secret in {urlsafe_b64decode(one) for one in PUBLISHED}
    yield "it repeats itself", len(set(secret)) < LEAST_VARIED or secret[:16] in (secret[16:], secret[:15:-1])
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    yield "it only counts", len(steps) < LEAST_VARIED // 2
    yield "it is text, not random bytes", all(32 <= byte < 127 for byte in secret)
    digests = {digest(word.encode()).digest() for word in WORDS for digest in DIGESTS}
    yield "it is a digest of a common word", secret in digests
