"""Admission: hands an event to the ordering engine, without secrets in clear.

Once `admit` has returned, the event is never lost.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from messages import Message
from moment.events import (
    CustomerEvent,
    Event,
    IntegrationEvent,
    InvalidEvent,
    Problem,
    ProjectEvent,
    event_json,
)
from ordering import Admission, Ordering, Submission
from stores import Vault
from stores.vault import Unsealable

SEALED = "sealed:"  # prefix of a code that the producer has sealed with one of our keys (docs/producers.md)
UNKNOWN_COMPANY = "_unknown"  # a company's code starts with a letter or a digit, so this is nobody's
TYPES = frozenset(
    name for model in get_args(Event) for name in get_args(model.model_fields["type"].annotation)
)  # of the contract
SECRET = re.compile(r"authorization_?code", re.IGNORECASE)  # the field's name, in any spelling
# The same in text that is not JSON: its value goes on at least to the next quotation mark or space.
SECRET_IN_TEXT = re.compile(rf"({SECRET.pattern}\W*)[^\s\"']+", re.IGNORECASE)


def admit(event: Event, ordering: Ordering, vault: Vault) -> Admission:
    """Accept a valid event, unless its id is known, and place it last in the order of its key."""
    return ordering.publish(
        Submission(
            company=event.company,
            id=event.id,
            key=str(event.key),
            type=event.type,
            body=event_json(_sealed(event, vault)),
            occurred_at=event.occurred_at,
            needs=tuple(map(str, event.prerequisites)),
            snapshot=isinstance(event, CustomerEvent | ProjectEvent),
            control=isinstance(event, IntegrationEvent),
            sequence=event.sequence,
        )
    )


def refused(given: object, error: InvalidEvent, vault: Vault) -> Submission:
    """The submission that keeps an invalid event whole, as a failed event with the reason."""
    given = _read(given)
    body = json.dumps(_without_secrets(given, vault), default=str, ensure_ascii=False)
    fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    company = _text(fields.get("company"), r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", UNKNOWN_COMPANY)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    event_id = _text(fields.get("id"), r"[^\s\x00-\x1f\x7f]{1,200}", f"invalid-{digest}")
    type_ = fields.get("type")
    problems = tuple(map(_without_secret, error.problems))
    return Submission(
        company=company,
        id=event_id,
        key=f"{company}/invalid/{digest}",
        type=type_ if isinstance(type_, str) and type_ in TYPES else "unknown",  # a metrics label: few values
        body=body,
        occurred_at=datetime.now(UTC),
        refused=InvalidEvent(problems).message,
        refused_remedy=Message("event.correct-and-resend"),
    )


def _sealed(event: Event, vault: Vault) -> Event:
    """The event with its authorization code sealed: in Redis it is never in clear."""
    if not isinstance(event, IntegrationEvent) or event.integration.authorization_code is None:
        return event
    given = event.integration.authorization_code
    code = _resealed(given.removeprefix(SEALED), vault) if given.startswith(SEALED) else vault.seal(given)
    integration = event.integration.model_copy(update={"authorization_code": code})
    return event.model_copy(update={"integration": integration})


def _resealed(sealed: str, vault: Vault) -> str:
    """A code that its producer has sealed, under our first key. One that no key opens fails when it is used."""
    try:
        return vault.reseal(sealed)
    except Unsealable:
        return sealed


def _read(given: object) -> object:
    """The value of JSON text, so that its company and id are found; other text as it is."""
    try:
        return json.loads(given, parse_float=Decimal) if isinstance(given, str | bytes) else given
    except (ValueError, RecursionError):
        return given.decode(errors="replace") if isinstance(given, bytes) else given


def _without_secrets(given: object, vault: Vault) -> object:
    if isinstance(given, Mapping):
        return {
            key: vault.seal(str(value)) if SECRET.fullmatch(str(key)) else _without_secrets(value, vault)
            for key, value in given.items()
        }
    if isinstance(given, list):
        return [_without_secrets(value, vault) for value in given]
    if isinstance(given, str):
        return _masked(given)
    return str(given) if isinstance(given, Decimal) else given


def _without_secret(problem: Problem) -> Problem:
    return problem._replace(value=_masked(problem.value)) if isinstance(problem.value, str) else problem


def _masked(text: str) -> str:
    return SECRET_IN_TEXT.sub(r"\1***", text)


def _text(value: object, pattern: str, otherwise: str) -> str:
    return value if isinstance(value, str) and re.fullmatch(pattern, value) else otherwise
