"""Whom a mail is written to: the operator gets commands, a company's people sealed links and a contact. Pure."""

from typing import Final, NamedTuple, Protocol

from fortnox.situations import SITUATIONS
from mails.damage import DAMAGED
from messages import Message, Param
from messages.catalogue import without_commands
from ordering import EventRecord

OPERATORS_CODES: Final = frozenset(
    {DAMAGED, "bug", "crash", "InvalidEvent"} | {name for name, one in SITUATIONS.items() if one.whom == "operator"}
)
OPERATORS_REMEDY: Final = "expenses.renew-api-key"


class LinkTo(Protocol):
    def __call__(self, company: str, *, event: str = "", cause: str = "", connect: bool = False) -> str:
        """The address of a page of the console: an event, a cause of failures, the consent in Fortnox, the company."""


class Audience(NamedTuple):
    """Whom a mail is written to. `name`: the company's own; "" where it is not known.

    `contact`: whom people of a company write to or call. `reply_to`: the address that gets answers; "" where none does.
    `link_to` is None without a console.
    """

    is_operator: bool = False
    name: str = ""
    contact: str = ""
    reply_to: str = ""
    link_to: LinkTo | None = None

    @property
    def whom(self) -> Param:
        """The operator, as a company's mail calls it."""
        return self.contact or Message("mail.the-operator")

    def told(self, message: Message) -> Message:
        """The message as this reader gets it: a company's people have no command line."""
        return message if self.is_operator else without_commands(message, self.whom)


def only_operator_mends(record: EventRecord) -> bool:
    """Whether nobody in the company can mend the failure: the event cannot be read, or the integration is at fault."""
    if record.status != "failed":
        return False
    unreadable = record.key.split("/")[1:2] == ["invalid"]
    tells = any(part.key == OPERATORS_REMEDY for part in record.remedy.parts)
    return unreadable or tells or record.code.partition(" ")[0] in OPERATORS_CODES
