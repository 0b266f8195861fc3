"""Checks request bodies against Fortnox's own OpenAPI document.

The document is Fortnox's and no part of this project: `FORTNOX_OPENAPI` says where it is (default
`../shared/facts/fortnox-openapi.json` beside the project). It is read strictly: a field that it does not name is an
error, which OpenAPI itself would allow.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import ValidationError
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

from fortnox.payloads import API_BLANK
from tests.recording import Sent

PROJECT = Path(__file__).parents[1]
DOCUMENT = Path(os.environ.get("FORTNOX_OPENAPI") or PROJECT / "../shared/facts/fortnox-openapi.json")
URI = "urn:fortnox"


class Hole(NamedTuple):
    """A place where the document is known to be wrong or silent, and why it is."""

    field: str  # the last name on the way to the value
    rule: str  # the schema's keyword that the value breaks
    value: object  # the value that is right all the same; None: any
    reason: str


HOLES = (
    Hole("EndDate", "format", API_BLANK, "the documented way to empty a field; the document knows only dates"),
    Hole("StartDate", "format", API_BLANK, "the documented way to empty a field; the document knows only dates"),
    Hole("CountryCode", "maxLength", API_BLANK, "the documented way to empty a field is longer than two letters"),
    Hole("VAT", "type", None, "typed as a whole number, but decimals are accepted (softwerkab's tests send 1.23)"),
)

# The document's names for the path parameters differ from place to place; ours are all {number}.
WRITES = {
    ("POST", "/3/customers"): "/3/customers",
    ("PUT", "/3/customers/{number}"): "/3/customers/{CustomerNumber}",
    ("POST", "/3/projects"): "/3/projects",
    ("PUT", "/3/projects/{number}"): "/3/projects/{ProjectNumber}",
    ("POST", "/3/invoices"): "/3/invoices",
    ("POST", "/api/fileattachments/attachments-v1"): "/api/fileattachments/attachments-v1",
}


def strict(schema: Any) -> Any:
    """The schema, in which no object allows fields that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if "properties" in closed and closed.get("type", "object") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def load_document() -> dict[str, Any] | None:
    """The strict document, or None if there is none."""
    if not DOCUMENT.is_file():
        return None
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    found["components"] = strict(found["components"])
    return found


def faults(document: dict[str, Any], sent: Sent) -> list[str]:
    """The faults of a body by the document, except its known holes."""
    path = WRITES.get((sent.method, sent.path))
    if path is None:
        return [f"{sent.method} {sent.path} is missing in this test's table"]
    content = document["paths"][path][sent.method.lower()]["requestBody"]["content"]
    (schema,) = (kind["schema"] for kind in content.values())
    resource = DRAFT4.create_resource(document)
    validator = OAS30Validator(
        absolute(schema), registry=Registry().with_resource(URI, resource), format_checker=oas30_format_checker
    )
    errors: list[ValidationError] = list(validator.iter_errors(json.loads(sent.body)))
    return [
        f"{sent.method} {sent.path} {error.json_path}: {error.message}"
        for error in errors
        # Its text says that an update changes only what is sent: a name that was refused is left out.
        if not known_hole(error) and not (sent.method == "PUT" and error.validator == "required")
    ]


def absolute(schema: Any) -> Any:
    """The schema with its references made to point into the document."""
    schema = copy.deepcopy(schema)
    if "$ref" in schema:
        schema["$ref"] = URI + schema["$ref"]
    elif "items" in schema:
        schema["items"] = absolute(schema["items"])
    return schema


def known_hole(error: ValidationError) -> bool:
    field = next((part for part in reversed(error.absolute_path) if isinstance(part, str)), "")
    return any(
        (hole.field, hole.rule) == (field, error.validator) and hole.value in {None, str(error.instance)}
        for hole in HOLES
    )
