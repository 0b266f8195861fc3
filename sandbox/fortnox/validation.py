"""Validates payloads against their field tables. Pure. No I/O.

What is refused, and with which code, is Fortnox's (https://www.fortnox.se/developer/guides-and-good-to-know):
unknown names, wrong types, lengths, and characters outside the set of "formats and encoding".
"""

from datetime import date
from decimal import Decimal, InvalidOperation

from sandbox.fortnox import errors
from sandbox.fortnox.countries import COUNTRY_CODES
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.fields import Field, Table
from sandbox.http import Json, load

BLANK = "API_BLANK"  # the text that empties a field; an empty string or null changes nothing

# The published expression is [\p{L} … ]: every letter, and these. Quotation marks, < > | { } [ ] ~,
# tabs and emoji are not among them.
ALLOWED = frozenset(
    "0123456789"
    "abcdefghijklmnopqrstuvwxyzåäöéáœæøü"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖÉÁÜŒÆØ"
    "\u2019\\\u0308\u030a \u2013:.`\u00b4,;^¤#%§£$€¢¥©™°&/()=+-*_!?²³®½@\u00a0\n\r"
)
LARGEST = Decimal(10) ** 12


def envelope(body: bytes, name: str) -> dict[str, Json]:
    """The object inside `{"Customer": {…}}`. Raises Refused for anything else."""
    try:
        document = load(body)
    except ValueError as error:
        raise Refused(2002115, "Error deserializing JSON") from error
    if not isinstance(document, dict) or set(document) != {name} or not isinstance(document[name], dict):
        raise errors.no_data()
    payload: dict[str, Json] = document[name]
    return payload


def check(payload: dict[str, Json], table: Table) -> dict[str, Json]:
    """The payload's meaningful values, typed. Null and empty are left out; API_BLANK becomes ""."""
    checked: dict[str, Json] = {}
    for name, value in payload.items():
        field = table.get(name)
        if field is None:
            raise errors.unknown_field(name)
        if value is None or value == "":
            continue
        checked[name] = _value(name, value, field)
    return checked


def _value(name: str, value: Json, field: Field) -> Json:
    match field.kind:
        case "text":
            return _text(name, value, field)
        case "number":
            return _number(name, value)
        case "number_or_text":
            return _number(name, _parsed(name, value) if isinstance(value, str) else value)
        case "whole":
            return _whole(name, value)
        case "flag":
            if not isinstance(value, bool):
                raise errors.not_boolean(name)
            return value
        case "date":
            return "" if value == BLANK else _date(name, value)
        case "choice":
            if value not in field.choices:
                raise Refused(errors.INVALID_CHOICE, f"Ogiltigt värde ({name})")
            return value
        case "object":
            return check(_object(value), field.table or {})
        case "objects":
            if not isinstance(value, list):
                raise errors.no_data()
            return [check(_object(item), field.table or {}) for item in value]


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise errors.no_data()
    return value


def _text(name: str, value: Json, field: Field) -> str:
    if not isinstance(value, str):
        raise errors.not_alphanumeric(name)
    if value == BLANK:
        return ""
    if field.longest is not None and len(value) > field.longest:
        raise errors.too_long(name, field.longest)
    if field.exact is not None and len(value) != field.exact:
        if field.exact == 2:
            raise Refused(errors.INVALID_COUNTRY, f"Ogiltig landskod ({name})")
        raise errors.too_long(name, field.exact)
    if not field.any_characters and not only_allowed_characters(value):
        raise errors.forbidden_characters(name)
    if name.endswith("CountryCode") and value not in COUNTRY_CODES:
        raise Refused(errors.INVALID_COUNTRY, f"Ogiltig landskod ({name})")
    return value


def only_allowed_characters(text: str) -> bool:
    if ALLOWED.issuperset(text):
        return True
    return all(character in ALLOWED or character.isalpha() for character in text)


def _parsed(name: str, value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise errors.not_numeric(name) from None
    if not number.is_finite():
        raise errors.not_numeric(name)
    return number


def _number(name: str, value: Json) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise errors.not_numeric(name)
    number = Decimal(value)
    if abs(number) >= LARGEST:
        raise errors.too_long(name, 12)
    return number


def _whole(name: str, value: Json) -> int:
    number = _number(name, value)
    if number != number.to_integral_value():
        raise errors.not_numeric(name)
    return int(number)


def _date(name: str, value: Json) -> str:
    try:
        if len(value) != 10:
            raise ValueError(value)
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Refused(errors.INVALID_DATE, f"Ogiltigt datum ({name})") from None
