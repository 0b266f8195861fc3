"""Fortnox, the target: client, errors and their explanations, OAuth, the rate limit, what is sent and read.

Nothing here retries, sleeps or stores; the type of an error says what happens next (`fortnox.errors`).
"""

from fortnox.client import Fortnox
from fortnox.codes import explain
from fortnox.errors import FortnoxError, Outcome
from fortnox.limiter import Limiter
from fortnox.oauth import Grant, OAuth
from fortnox.situations import Explanation
from fortnox.transport import Exchange, Http, Timeouts, TokenSource, Transport

__all__ = [
    "Exchange",
    "Explanation",
    "Fortnox",
    "FortnoxError",
    "Grant",
    "Http",
    "Limiter",
    "OAuth",
    "Outcome",
    "Timeouts",
    "TokenSource",
    "Transport",
    "explain",
]
