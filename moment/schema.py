"""The JSON Schema of the events, for producers in any language: `python -m moment.schema` writes it into docs/.

It is generated from the models of `moment.events`; a unit test says when the file is stale. The models
are the stricter of the two: rules that span fields are only theirs.
"""

import json
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from moment.events import EVENT_ADAPTER

SCHEMA_FILE = Path(__file__).resolve().parent.parent / "docs" / "schema" / "events.schema.json"


DECIMAL_TEXT = r"^\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?\s*$"


class EventSchema(GenerateJsonSchema):
    """Says how a decimal is written as text, and leaves out field titles (`occurredAt` as "Occurredat")."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        number, _text = super().decimal_schema(schema)["anyOf"]
        return {"anyOf": [{"type": "string", "pattern": DECIMAL_TEXT}, number]}

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema_json() -> str:
    """The schema as it stands in the file: wire names, two spaces, a newline at the end."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events from Moment",
        **EVENT_ADAPTER.json_schema(by_alias=True, schema_generator=EventSchema),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA_FILE.write_text(schema_json(), encoding="utf-8")
