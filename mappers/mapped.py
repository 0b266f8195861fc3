"""What a mapper returns: the payload, and what the company should hear of although it stopped nothing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from messages import Message
from moment.events import Model

P_co = TypeVar("P_co", covariant=True)


class Notice(NamedTuple):
    """Something about a field (as the event spells it) that a person should mend, when there is time."""

    field: str
    value: str
    message: Message


@dataclass(frozen=True, slots=True)
class Mapped(Generic[P_co]):
    payload: P_co
    notices: tuple[Notice, ...] = ()

    @property
    def notice(self) -> Message:
        """All notices joined; `NOTHING` when there are none."""
        return Message.join(*(notice.message for notice in self.notices))


class LeftOut(Enum):
    """Not the same as `None`: None empties a field in Fortnox, a field left out stays there as it was."""

    LEFT_OUT = "left out"


LEFT_OUT = LeftOut.LEFT_OUT
Maybe = str | None | LeftOut


def given(model: Model, field: str) -> Any:
    """The field's value; `LEFT_OUT` where the event does not mention it (a null is a mention)."""
    return getattr(model, field) if field in model.model_fields_set else LEFT_OUT


def sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without those left out, for the constructor of a payload."""
    return {name: value for name, value in fields.items() if value is not LEFT_OUT}
