"""`/3/projects`. Needs the project module; PUT changes only what is sent."""

import re
from typing import Final

from sandbox.fortnox import errors, fields
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Ledger, Record
from sandbox.fortnox.listing import Listing, contains, refuse_parameters
from sandbox.fortnox.validation import check, envelope
from sandbox.http import Answer, Call, Json, answer_json

NUMBER: Final = re.compile(r"[\w\-\u2013+/]+")
DATES: Final = ("StartDate", "EndDate")


def create(ledger: Ledger, call: Call) -> Answer:
    given = check(envelope(call.body, "Project"), fields.PROJECT)
    if not given.get("Description"):
        raise errors.missing("Description")
    number = given.get("ProjectNumber") or _next_number(ledger)
    if not NUMBER.fullmatch(number):
        raise errors.not_alphanumeric("ProjectNumber")
    if number in ledger.projects:
        ledger.counters["projects.duplicates_refused"] += 1
        raise Refused(errors.DUPLICATE_PROJECT, f"Projektnummer {number} används redan.")
    blank: dict[str, Json] = {name: "" for name in fields.PROJECT}
    record = Record({**blank, "Status": "ONGOING", **given, "ProjectNumber": number}, ledger.clock.minute())
    record.writes["POST"] += 1
    ledger.projects[number] = record
    ledger.counters["projects.created"] += 1
    ledger.tell("project-created", number)
    return answer_json({"Project": shown(record)}, 201)


def enter(ledger: Ledger, number: str, given: dict[str, Json]) -> Record:
    """Create or change a project as a person in Fortnox would. Raises ValueError."""
    known = ledger.projects.get(number)
    defaults: dict[str, Json] = {
        **dict.fromkeys(fields.PROJECT, ""),
        "Status": "ONGOING",
        "ProjectNumber": number,
        "Description": number,
    }
    unknown = set(given) - set(defaults)
    if unknown:
        raise ValueError(f"unknown in a project: {', '.join(sorted(unknown))}")
    values = {**(known.fields if known else defaults), **given}
    record = ledger.projects[number] = Record(values, ledger.clock.minute())
    if known:
        record.writes = known.writes
    ledger.tell("project-updated" if known else "project-created", number)
    return record


def update(ledger: Ledger, call: Call) -> Answer:
    record = _find(ledger, call)
    change(ledger, record, envelope(call.body, "Project"))
    record.writes["PUT"] += 1
    ledger.counters["projects.updated"] += 1
    return answer_json({"Project": shown(record)})


def change(ledger: Ledger, record: Record, payload: dict[str, Json]) -> None:
    given = check(payload, fields.PROJECT)
    if given.get("ProjectNumber", record.fields["ProjectNumber"]) != record.fields["ProjectNumber"]:
        raise Refused(errors.NUMBER_FIXED, "Projektnummer kan inte ändras.")
    errors.refuse_locked(given, ledger.settings.refused_on_update)
    if given.get("Description", "x") == "":
        raise errors.missing("Description")
    record.fields.update(given)
    record.modified = ledger.clock.minute()
    ledger.tell("project-updated", record.fields["ProjectNumber"])


def read(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json({"Project": shown(_find(ledger, call))})


def delete(ledger: Ledger, call: Call) -> Answer:
    remove(ledger, _find(ledger, call).fields["ProjectNumber"])
    return Answer(204, content_type="")


def remove(ledger: Ledger, number: str) -> None:
    del ledger.projects[number]
    ledger.counters["projects.deleted"] += 1
    ledger.tell("project-deleted", number)


def shown(record: Record) -> Json:
    values = record.fields
    return {
        "@url": f"https://api.fortnox.se/3/projects/{values['ProjectNumber']}",
        **values,
        **{name: values[name] or None for name in DATES},
    }


def _find(ledger: Ledger, call: Call) -> Record:
    record = ledger.projects.get(call.params["ProjectNumber"])
    if record is None:
        raise errors.project_not_found()
    return record


def _next_number(ledger: Ledger) -> str:
    return str(max((int(number) for number in ledger.projects if number.isdecimal()), default=0) + 1)


def _list_item(_ledger: Ledger, record: Record) -> Json:
    whole = shown(record)
    names = ("@url", "Description", "EndDate", "ProjectLeader", "ProjectNumber", "Status", "StartDate")
    return {name: whole[name] for name in names}


LIST: Final = Listing[Record](
    wrapper="Projects",
    item=_list_item,
    modified=lambda record: record.modified,
    order=lambda record: record.fields["ProjectNumber"],
    matches={
        "projectnumber": lambda record, value: contains(record.fields["ProjectNumber"], value),
        "description": lambda record, value: contains(record.fields["Description"], value),
    },
    sortable={
        "projectnumber": lambda record: record.fields["ProjectNumber"],
        "description": lambda record: record.fields["Description"],
    },
)


def listed(ledger: Ledger, call: Call) -> Answer:
    return LIST.answer(ledger, call, list(ledger.projects.values()))


ENDPOINTS: Final = (
    Endpoint("GET", "/3/projects", listed, "project"),
    Endpoint("POST", "/3/projects", create, "project"),
    Endpoint("GET", "/3/projects/{ProjectNumber}", read, "project"),
    Endpoint("PUT", "/3/projects/{ProjectNumber}", update, "project"),
    Endpoint("DELETE", "/3/projects/{ProjectNumber}", delete, "project"),
)
