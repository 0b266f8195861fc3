"""Admission: an event, checked and stripped of secrets in clear, is handed to the ordering engine.

Once `admit` has returned, the event is never lost, whatever happens to it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

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

SEALED = "sealed:"  # before a code that the producer has sealed with one of our keys (docs/producers.md)
UNKNOWN_COMPANY = "_unknown"  # a company code starts with a content or a digit, so it is nobody's
TYPES = frozenset(
    name for model in get_args(Event) for name in get_args(model.model_fields["type"].annotation)
)  # of the contract
SECRET = re.compile(r"authorization_?code", re.IGNORECASE)  # a field's name, however its producer spells it
# The same in text that nobody could read as JSON: the value goes to the next quotation mark or space, at least.
SECRET_IN_TEXT = re.compile(rf"({SECRET.pattern}\W*)[^\s\"']+", re.IGNORECASE)
REMEDY = "Mend the event where it is made and send it again with a new id."


def admit(event: Event, ordering: Ordering, vault: Vault) -> Admission:
    """Accepts a valid event: deduplicated on its id, placed last in its key's line."""
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
    """What is no event of the contract, to be kept whole, as a failed event with the reason."""
    given = _read(given)
    body = json.dumps(_without_secrets(given, vault), default=str, ensure_ascii=False)
    fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    company = _text(fields.get("company"), r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", UNKNOWN_COMPANY)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    event_id = _text(fields.get("id"), r"[^\s\x00-\x1f\x7f]{1,200}", f"invalid-{digest}")
    type_ = fields.get("type")
    return Submission(
        company=company,
        id=event_id,
        key=f"{company}/invalid/{digest}",
        type=type_ if isinstance(type_, str) and type_ in TYPES else "unknown",  # a label of the metrics: one of few
        body=body,
        occurred_at=datetime.now(UTC),
        refused=f"Not a valid event: {InvalidEvent(tuple(map(_without_secret, error.problems)))}",
        refused_remedy=REMEDY,
    )


def _sealed(event: Event, vault: Vault) -> Event:
    """An authorization code is a secret: it goes into Redis sealed, and is opened by the one who uses it."""
    if not isinstance(event, IntegrationEvent) or event.integration.authorization_code is None:
        return event
    given = event.integration.authorization_code
    code = _resealed(given.removeprefix(SEALED), vault) if given.startswith(SEALED) else vault.seal(given)
    integration = event.integration.model_copy(update={"authorization_code": code})
    return event.model_copy(update={"integration": integration})


def _resealed(sealed: str, vault: Vault) -> str:
    """A code that its producer has sealed; one that no key of ours opens fails when it is used, with that reason."""
    try:
        return vault.reseal(sealed)
    except Unsealable:
        return sealed


def _read(given: object) -> object:
    """What JSON text holds, so that its company and id are found; other text stays as it is."""
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
    return problem._replace(value=_masked(problem.value))


def _masked(text: str) -> str:
    return SECRET_IN_TEXT.sub(r"\1***", text)


def _text(value: object, pattern: str, otherwise: str) -> str:
    return value if isinstance(value, str) and re.fullmatch(pattern, value) else otherwise
