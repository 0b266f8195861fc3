"""The door's OpenAPI document: `python -m console.api.document` writes it into docs/, and a test compares."""

import json
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from moment.events import EVENT_ADAPTER
from moment.schema import EventSchema

FILE: Final = Path(__file__).resolve().parents[2] / "docs" / "schema" / "openapi.json"


def complete(app: FastAPI) -> None:
    """Have the application's document hold the schemas of events, which its models are too strict to be given as."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            document["components"]["schemas"] |= event_schemas()
            document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to change it


def event_schemas() -> dict[str, Any]:
    """The schema `Event`, and those that it refers to."""
    schema = EVENT_ADAPTER.json_schema(
        by_alias=True, ref_template="#/components/schemas/{model}", schema_generator=EventSchema
    )
    parts: dict[str, Any] = schema.pop("$defs")
    return parts | {"Event": schema}


def document_json() -> str:
    """The document as it stands in the file."""
    from config import load_settings
    from console.api.app import create_api
    from delivery.services import build_services

    services = build_services(load_settings(None, fortnox_api_url="http://127.0.0.1:1"))
    return json.dumps(create_api(services).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document_json(), encoding="utf-8")
