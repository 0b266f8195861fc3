"""Where a person looks at a document in Fortnox. Pure."""

from urllib.parse import quote

from config import Settings
from ordering import EventRecord

KINDS = ("customer", "project", "invoice")


def document_address(settings: Settings, record: EventRecord) -> str:
    """The address of the event's document in Fortnox; "" where it has none, or no address is set."""
    _, kind, key_number = (*record.key.split("/", 2), "", "")[:3]
    number = record.document or (key_number if record.status == "done" else "")
    if not settings.fortnox_document_url or kind not in KINDS or not number:
        return ""
    given = {"company": record.company, "kind": kind, "number": number}
    return settings.fortnox_document_url.format(**{name: quote(value, safe="") for name, value in given.items()})
