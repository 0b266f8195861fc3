"""The optional fields of an invoice: what is left out where Fortnox refuses it, and what is told then. Pure.

An optional field never stops the books. Which field a refusal is about, Fortnox's text tells as a rule; many of its
codes are not published. The link to the credited invoice is refused for many reasons (paid, sold, already credited),
so it is left out at every refusal that names no other cause.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from fortnox.errors import Rejected
from messages import Message

LINK = "CreditInvoiceReference"
# In the order in which they are left out, each with the words by which Fortnox names it.
OPTIONAL = {
    LINK: re.compile(r"CreditInvoiceReference|kredit", re.IGNORECASE),
    "OurReference": re.compile(r"\bOurReference|vår referens", re.IGNORECASE),
    "YourReference": re.compile(r"\bYourReference|\ber referens", re.IGNORECASE),
}
OF_A_FIELD = frozenset({"", "request", "value", "characters"})  # situations that may be about any field
OF_THE_LINK = OF_A_FIELD | {"invoice-unknown", "document-locked"}

LeftOut = Mapping[str, Message]  # by field, why it was left out


def to_leave_out(refused: Rejected, sent: Mapping[str, Any], *, number_is_free: bool) -> str | None:
    """The optional field to leave out after this refusal of a create, or None: the refusal has another cause.

    A refusal that names no field may also mean that the number is taken. Unless `number_is_free`, only the link is then
    left out.
    """
    optional = [name for name in OPTIONAL if name in sent]
    situation, words = refused.situation, refused.message
    if situation not in OF_THE_LINK or _names_another_field(words, sent):
        return None
    if named := next((name for name in optional if OPTIONAL[name].search(words)), None):
        return named
    if LINK in optional:
        return LINK
    return next(iter(optional), None) if number_is_free and situation in OF_A_FIELD else None


def _names_another_field(words: str, sent: Mapping[str, Any]) -> bool:
    fields = set(sent).union(*sent.get("InvoiceRows", ())) - set(OPTIONAL)
    return any(re.search(rf"\b{name}\b", words) for name in fields)


def told(left_out: LeftOut, sent: Mapping[str, Any]) -> Message:
    """What a person is told of the fields left out of an invoice. `sent`: the fields as they should have been."""
    return Message.join(*(_told(name, str(sent[name]), why) for name, why in left_out.items() if name in sent))


def _told(name: str, value: str, why: Message) -> Message:
    if name == LINK:
        return Message("invoice.without-link", credited=value, why=why)
    return Message("invoice.without-reference", value=value, why=why)


def to_json(left_out: LeftOut) -> str:
    """For recording as a step; "" where nothing was left out."""
    return json.dumps({name: why.to_json() for name, why in left_out.items()}) if left_out else ""


def from_json(recorded: str | None) -> dict[str, Message]:
    return {name: Message.from_json(why) for name, why in json.loads(recorded or "{}").items()}
