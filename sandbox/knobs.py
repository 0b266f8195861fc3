"""The base of settings and options: fields are set by name from JSON, and their types are checked."""

from dataclasses import MISSING, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sandbox.http import Json


class Knobs:
    """A base for dataclasses in which every field has a default."""

    __slots__ = ()

    def change(self, changes: dict[str, Json]) -> None:
        """Set fields by name. Raises ValueError for an unknown name or a wrong type, and then changes nothing."""
        types = get_type_hints(type(self))
        parsed = {}
        for name, value in changes.items():
            if name not in types:
                raise ValueError(f"unknown: {name}")
            parsed[name] = _typed(types[name], value, name)
        for name, value in parsed.items():
            setattr(self, name, value)

    def restore(self) -> None:
        """Set every field to its default."""
        for one in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            made = one.default if one.default_factory is MISSING else one.default_factory()
            setattr(self, one.name, made)

    def as_json(self) -> Json:
        return {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # as above


def _typed(kind: Any, value: Json, name: str) -> Json:
    wrong = ValueError(f"{name}: {value!r} does not fit")
    origin: Any = get_origin(kind)
    inner = get_args(kind)
    if origin is Literal:
        if value not in inner:
            raise wrong
        return value
    if origin is list:
        if not isinstance(value, list):
            raise wrong
        return [_typed(inner[0], item, name) for item in value]
    if origin is dict:
        if not isinstance(value, dict):
            raise wrong
        return {key: _typed(inner[1], item, name) for key, item in value.items()}
    if type(None) in inner:
        return None if value is None else _typed(inner[0], value, name)
    if isinstance(value, bool) != (kind is bool):
        raise wrong
    if kind is Decimal and isinstance(value, (int, str, Decimal)):
        return _decimal(value, wrong)
    if kind is float and isinstance(value, (int, Decimal)):
        return float(value)
    if kind is date and isinstance(value, str):
        return date.fromisoformat(value)
    if not isinstance(value, kind):
        raise wrong
    return value


def _decimal(value: int | str | Decimal, wrong: ValueError) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation:
        raise wrong from None
