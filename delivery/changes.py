"""Send what changed of a customer or project that is in Fortnox, and leave out what Fortnox refuses.

A refused field must not stop the others, nor the invoices behind the event. Which field a refusal is about, Fortnox's
text tells as a rule. Where it does not, each field is tried alone. So n fields take at most 2n requests. A refusal that
names a field that was not sent counts for all of them: trying each would not help.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from fortnox import errors as e
from fortnox.codes import explain
from messages import Message

# The words by which Fortnox names a field, beside the field's own name. A refusal may name several: the first counts.
WORDS: Final[Mapping[str, str]] = {
    "OrganisationNumber": r"organisationsnum|organi[sz]ation number|personnum|\borg\.? ?(nr|num)",
    "VATNumber": r"VAT-?(num|nr)|momsregistrerings|VAT number",
    "VATType": r"VAT-?typ|momstyp",
    "ZipCode": r"postnum|zip code|postal code",
    "City": r"postort|\bort(en)?\b",
    "CountryCode": r"landskod|country",
    "Email": r"e-post|e-?mail",
    "Name": r"kundnamn|customer name",
    "StartDate": r"startdatum|start date",
    "EndDate": r"slutdatum|end date",
    "Status": r"projektstatus|\bavsluta(t|d)|\bfärdigt",
    "Description": r"benämning|projektnamn|project name",
}
ANOTHER_CAUSE = (e.AccessMissing, e.NotFound, e.NumberReserved, e.CodeRefused)  # no refusal of a field


class Refusal(NamedTuple):
    """Why Fortnox refused a field, and what to do."""

    reason: Message
    remedy: Message


class Memory(Protocol):
    """Answers of Fortnox that a throttled attempt passes on to the next one."""

    def cached(self, what: str) -> str | None: ...

    def remember(self, what: str, found: str) -> None: ...


def send_changes(
    update: Callable[[Mapping[str, Any]], object], changed: Mapping[str, Any], always: Mapping[str, Any], memory: Memory
) -> dict[str, Refusal]:
    """Write the changed fields, and return those that Fortnox refused.

    `always`: what goes with every request, as Fortnox's document demands a name of each. Raises `FortnoxError` for
    what is no refusal of a field: a missing licence, a number that is not there, no answer.
    """
    refused = _from_json(memory.cached("refused"))
    while rest := {name: value for name, value in changed.items() if name not in refused}:
        if memory.cached("alone"):
            _send_each(update, rest, always, refused, memory)
            break
        try:
            update({**_still(always, refused), **rest})
            break
        except e.Rejected as error:
            if isinstance(error, ANOTHER_CAUSE):
                raise
            if field_of(error.message, _still(always, changed)):  # the name is as it was, and is not worth a refusal
                always = {}
                continue
            about = field_of(error.message, rest) or (next(iter(rest)) if len(rest) == 1 else None)
            if about is None and _names_another(error.message, rest):
                return refused | dict.fromkeys(rest, _why(error))
            if about is None:
                memory.remember("alone", "1")
                _send_each(update, rest, always, refused, memory)
                break
            refused[about] = _why(error)
            memory.remember("refused", _to_json(refused))
    return refused


def _still(always: Mapping[str, Any], not_with: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in always.items() if name not in not_with}


def field_of(words: str, fields: Mapping[str, Any]) -> str | None:
    """The field that a refusal names, by its name or in other words; None if it names none of these. Pure."""
    if named := next((name for name in fields if re.search(rf"\b{name}\b", words)), None):
        return named
    return next(
        (name for name, said in WORDS.items() if name in fields and re.search(said, words, re.IGNORECASE)), None
    )


def _names_another(words: str, fields: Mapping[str, Any]) -> bool:
    """Whether a refusal ends with a field's name in brackets, as Fortnox's do, that was not sent."""
    named = re.search(r"\(([A-Z]\w+)\)\W*$", words)
    return named is not None and named[1] not in fields


def _send_each(
    update: Callable[[Mapping[str, Any]], object],
    fields: Mapping[str, Any],
    always: Mapping[str, Any],
    refused: dict[str, Refusal],
    memory: Memory,
) -> None:
    written = set(json.loads(memory.cached("written") or "[]"))
    for name in [name for name in fields if name not in written]:
        try:
            update({**_still(always, {**fields, **refused}), name: fields[name]})
        except e.Rejected as error:
            if isinstance(error, ANOTHER_CAUSE):
                raise
            refused[name] = _why(error)
            memory.remember("refused", _to_json(refused))
        else:
            written.add(name)
            memory.remember("written", json.dumps(sorted(written)))


def _why(error: e.Rejected) -> Refusal:
    return Refusal(*explain(error))


def _to_json(refused: Mapping[str, Refusal]) -> str:
    return json.dumps({name: [why.reason.to_json(), why.remedy.to_json()] for name, why in refused.items()})


def _from_json(stored: str | None) -> dict[str, Refusal]:
    found = json.loads(stored or "{}")
    return {name: Refusal(*map(Message.from_json, why)) for name, why in found.items()}
