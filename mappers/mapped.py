"""What a mapper returns: the payload, and notices to the company that stop nothing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from messages import Message
from moment.events import Model

P_co = TypeVar("P_co", covariant=True)


class Notice(NamedTuple):
    """Something about a field that a person should correct in time. `field` is spelt as in the event."""

    field: str
    value: str
    message: Message


@dataclass(frozen=True, slots=True)
class Mapped(Generic[P_co]):
    payload: P_co
    notices: tuple[Notice, ...] = ()

    @property
    def notice(self) -> Message:
        """All notices joined; `NOTHING` if there are none."""
        return Message.join(*(notice.message for notice in self.notices))


class LeftOut(Enum):
    """Marks a field that stays in Fortnox as it was. (`None` empties it.)"""

    LEFT_OUT = "left out"


LEFT_OUT = LeftOut.LEFT_OUT
Maybe = str | None | LeftOut


def given(model: Model, field: str) -> Any:
    """Return the field's value; `LEFT_OUT` if the event does not mention it. A null is a mention."""
    return getattr(model, field) if field in model.model_fields_set else LEFT_OUT


def sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those left out, for a payload's constructor."""
    return {name: value for name, value in fields.items() if value is not LEFT_OUT}
