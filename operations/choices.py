"""What a company chose: its connection's choices and its own settings together, changed together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from delivery.services import Services
from messages import Message
from moment.events import InvalidEvent
from operations.audit import Actor, ActorKind
from operations.companies import change, change_settings, changed, settings
from operations.errors import OperationError, WrongArgument
from stores import CompanySettings, Connection

# Whoever has a company's link must not lead its next links elsewhere.
OPERATORS_ALONE: Final = frozenset({"errorEmail"})


@dataclass(frozen=True, slots=True)
class Choices:
    """`connection` is None where the company never connected: it then has its own settings alone."""

    connection: Connection | None
    settings: CompanySettings

    def values(self) -> dict[str, Any]:
        """Each choice by its name, such as `transfers.customers` and `language`, as JSON has it."""
        own = self.settings.model_dump(mode="json", by_alias=True)
        if self.connection is None:
            return own
        chosen = changed(self.connection.integration, {})
        chosen.pop("serviceAccount", None)
        flat = {
            f"{name}.{inner}" if inner else name: one
            for name, value in chosen.items()
            for inner, one in (value.items() if isinstance(value, Mapping) else [("", value)])
        }
        return flat | own


def choices_of(services: Services, company: str) -> Choices:
    """What the company chose. Raises `WrongArgument` where it is unknown."""
    found = settings(services, company)
    return Choices(services.stores.connections.find(company), found)


def change_choices(services: Services, company: str, given: Mapping[str, Any], *, by: Actor) -> list[Message]:
    """Change what is given, by name as `Choices.values` has it. Return what changed.

    Raises `WrongArgument`, and then the own settings are unchanged; `OperationError` where no worker takes the change,
    or the company's own people change what operators alone may.
    """
    before = choices_of(services, company)
    held = before.values()
    new = {name: value for name, value in given.items() if name in held and _plain(held[name]) != _plain(value)}
    if by.kind is ActorKind.LINK and OPERATORS_ALONE & set(new):
        raise OperationError(Message("settings.operators-alone"))
    own = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in new.items()}
    own = {name: value for name, value in own.items() if name in _own_names()}
    choices = {name: value for name, value in new.items() if name not in own}
    if choices and before.connection is not None:
        try:
            change(services, company, _with(before.connection, choices), by=by)
        except InvalidEvent as error:
            raise WrongArgument(error.message) from None
    if own:
        change_settings(services, company, own, by=by)
    return differences(held, choices_of(services, company).values())


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Message]:
    """What differs, each as `what: before → after`. Pure."""
    return [
        Message(
            "choice.changed",
            what=Message(f"choice.name.{_dashed(name)}"),
            before=_shown(before[name]),
            after=_shown(value),
        )
        for name, value in after.items()
        if name in before and before[name] != value
    ]


def _with(connection: Connection, choices: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's `integration` with these choices, by path; an empty text is none."""
    fields = changed(connection.integration, {})
    for path, value in choices.items():
        within, _, name = path.rpartition(".")
        (fields[within] if within else fields)[name] = None if value == "" else value
    return fields


def _own_names() -> set[str]:
    return {str(field.alias) for field in CompanySettings.model_fields.values()}


def _plain(value: object) -> object:
    """The value as a form has it, for comparing."""
    if value is None:
        return ""
    return tuple(value) if isinstance(value, list) else str(value) if isinstance(value, date) else value


def _shown(value: object) -> str | Message:
    if isinstance(value, bool):
        return Message("choice.yes") if value else Message("choice.no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or Message("choice.every-cost")
    return str(value) if value not in (None, "") else Message("choice.none")


def _dashed(name: str) -> str:
    """`expenses.fromDate` as the catalogue's keys have it: `expenses-from-date`."""
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).replace(".", "-")
