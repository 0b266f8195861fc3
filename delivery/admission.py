"""Admission: hands an event to the ordering engine, without secrets in clear.

Once `admit`, `take` or `set_aside` has returned, the event is never lost. `take` and `set_aside` are for whatever
arrives: they raise nothing but `RedisError`, and only where Redis is down or takes no writes.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from redis.exceptions import RedisError

from config.redis import is_outage
from delivery.bugs import report_error
from delivery.services import Services
from messages import Message
from moment.events import (
    CustomerEvent,
    Event,
    IntegrationEvent,
    InvalidEvent,
    Problem,
    ProjectEvent,
    event_json,
    parse_event,
)
from moment.limits import check_limits, check_object
from ordering import Admission, Ordering, Submission
from stores import TimelineEntry, Vault
from stores.vault import Unsealable

SEALED = "sealed:"  # prefix of a code that the producer has sealed with one of our keys (docs/producers.md)
UNKNOWN_COMPANY = "_unknown"  # a company's code starts with a letter or a digit, so this is nobody's
TYPES = frozenset(
    name for model in get_args(Event) for name in get_args(model.model_fields["type"].annotation)
)  # of the contract
SECRET = re.compile(r"authorization_?code", re.IGNORECASE)  # the field's name, in any spelling
# The same in text that is not JSON: its value goes on at least to the next quotation mark or space.
SECRET_IN_TEXT = re.compile(rf"({SECRET.pattern}\W*)[^\s\"']+", re.IGNORECASE)
COMPANY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
COMPANY_IN_TEXT = re.compile(rf'"company"\s*:\s*"({COMPANY})"')
REFUSED: Final = "invalid"  # the middle of the ordering keys of events that were refused on arrival
KEPT: Final = 100_000  # characters of text that is kept of what cannot be read as an event

Taken = Literal["accepted", "known", "refused"]

log = logging.getLogger(__name__)  # the standard one: producers and commands start without structlog


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


def remark_on(services: Services, event: Event) -> None:
    """Remark on an admitted event that some of its fields are not of the contract, and count them by their path.

    The event is kept whatever happens here.
    """
    if not event.unknown_fields:
        return
    fields = {"fields": ", ".join(event.unknown_fields)}
    try:
        services.telemetry.timeline.add(
            event.company, event.id, TimelineEntry(datetime.now(UTC), "unknown fields", fields)
        )
        services.telemetry.unknown_fields.count(event.unknown_fields)
    except RedisError as error:
        log.warning("event.unknown_fields_not_told", extra={"error": type(error).__name__})
    log.warning("event.unknown_fields", extra=fields | {"company": event.company, "event_id": event.id})


def read_event(given: Event | Mapping[str, Any] | str | bytes, most: int) -> Event:
    """Check the limits (`most`: bytes), then parse the event. Raises `InvalidEvent`, and nothing else."""
    if not isinstance(given, Mapping | str | bytes):
        return given
    _check_limits(given, most)
    return _parsed(given)


def take(services: Services, given: object) -> Taken:
    """Accept an event that arrived, or keep it as failed with the reason, and have a person told."""
    try:
        _check_limits(given, services.settings.max_event_bytes)
    except InvalidEvent as error:  # it is not even parsed to be kept
        return set_aside(services, _raw(given), _invalid(error))
    try:
        event = _parsed(given)
        admission = admit(event, services.ordering, services.vault)
    except InvalidEvent as error:
        return _refuse(services, given, error)
    except Exception as error:
        if isinstance(error, RedisError) and is_outage(error):
            raise
        log.error("event.not_accepted", exc_info=error, extra={"error": type(error).__name__})
        report_error(error)
        return set_aside(services, _raw(given), Message("event.not-accepted", error=type(error).__name__))
    ids = {"company": event.company, "key": str(event.key), "event_id": event.id, "type": event.type}
    log.info("event.accepted", extra=ids | {"known": admission.known})
    if not admission.known:
        remark_on(services, event)
    return "known" if admission.known else "accepted"


def set_aside(services: Services, raw: bytes, why: Message) -> Taken:
    """Keep what arrived as a failed event, as text, without parsing it. The text is cut to `KEPT` characters."""
    text = raw[: KEPT * 4].decode("utf-8", "backslashreplace")[:KEPT]
    named = COMPANY_IN_TEXT.search(text)
    cut = f"{_masked(text)}… ({len(raw)} bytes)" if len(text.encode()) < len(raw) else _masked(text)
    digest = hashlib.sha256(raw).hexdigest()[:16]
    company = named.group(1) if named else UNKNOWN_COMPANY
    return _keep(services, _kept(company, f"invalid-{digest}", digest, "unknown", json.dumps(cut), why))


def was_refused(key: str) -> bool:
    """Whether an event with this ordering key was refused on arrival."""
    return key.split("/", 2)[1:2] == [REFUSED]


def _check_limits(given: object, most: int) -> None:
    if isinstance(given, str | bytes):
        check_limits(given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given, most=most)
    else:
        check_object(given, most=most)


def _parsed(given: object) -> Event:
    if not isinstance(given, Mapping | str | bytes):
        raise InvalidEvent((Problem("", Message("event.not-an-object"), type(given).__name__),))
    try:
        return parse_event(given)
    except InvalidEvent:
        raise
    except Exception as error:
        report_error(error)
        raise InvalidEvent((Problem("", Message("event.unreadable", error=type(error).__name__)),)) from error


def _refuse(services: Services, given: object, error: InvalidEvent) -> Taken:
    try:
        return _keep(services, refused(given, error, services.vault))
    except (ArithmeticError, RecursionError, TypeError, ValueError):  # it cannot be written as JSON and UTF-8
        return set_aside(services, _raw(given), _invalid(error))


def _invalid(error: InvalidEvent) -> Message:
    return InvalidEvent(tuple(map(_without_secret, error.problems))).message


def _keep(services: Services, submission: Submission) -> Taken:
    try:
        admission = services.ordering.publish(submission)
    except RedisError as error:
        if is_outage(error) or submission.company == UNKNOWN_COMPANY:
            raise
        # What is stored of this company cannot take it: it is kept beside all companies.
        details = {"company": submission.company, "error": type(error).__name__}
        log.error("event.kept_without_company", extra=details)
        key = f"{UNKNOWN_COMPANY}/{REFUSED}/{submission.id}"
        submission = replace(submission, company=UNKNOWN_COMPANY, key=key)
        admission = services.ordering.publish(submission)
    if admission.known and services.ordering.body(submission.company, submission.id) != submission.body:
        # Another event has this id: both are kept.
        submission = replace(submission, id=f"invalid-{submission.key.rpartition('/')[2]}")
        admission = services.ordering.publish(submission)
    details = {"company": submission.company, "event_id": submission.id, "reason": submission.refused.key}
    log.warning("event.refused", extra=details)
    services.request_report()
    return "known" if admission.known else "refused"


def refused(given: object, error: InvalidEvent, vault: Vault) -> Submission:
    """The submission that keeps an invalid event whole, as a failed event with the reason."""
    given = _read(given)
    body = json.dumps(_without_secrets(given, vault), default=str, ensure_ascii=False)
    body.encode()  # a lone surrogate is no text: `ValueError`
    fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    company = _text(fields.get("company"), COMPANY, UNKNOWN_COMPANY)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    event_id = _text(fields.get("id"), r"[^\s\x00-\x1f\x7f]{1,200}", f"invalid-{digest}")
    type_ = fields.get("type")
    known_type = type_ if isinstance(type_, str) and type_ in TYPES else "unknown"  # a metrics label: few values
    return _kept(company, event_id, digest, known_type, body, _invalid(error))


def _kept(company: str, event_id: str, digest: str, type_: str, body: str, why: Message) -> Submission:
    return Submission(
        company=company,
        id=event_id,
        key=f"{company}/{REFUSED}/{digest}",
        type=type_,
        body=body,
        occurred_at=datetime.now(UTC),
        refused=Message.from_json(why.to_json().encode("utf-8", "replace").decode()),  # it may quote what is no text
        refused_remedy=Message("event.correct-and-resend"),
    )


def _raw(given: object) -> bytes:
    """What arrived, as bytes; of an object the JSON, or what Python shows of it."""
    if isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode("utf-8", "backslashreplace")
    try:
        return json.dumps(given, default=str).encode()
    except (TypeError, ValueError, RecursionError):
        return f"({type(given).__name__} that cannot be written as JSON)".encode()


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
    except (ArithmeticError, ValueError, RecursionError):
        return given.decode(errors="backslashreplace") if isinstance(given, bytes) else given


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
