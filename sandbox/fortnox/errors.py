"""Fortnox's refusals: its codes, its Swedish texts and its two spellings of the envelope.

The codes are those of Fortnox's error page and of recorded responses. Where Fortnox publishes no code,
the number is ours and starts with 2999: clients must not depend on it.
"""

from collections.abc import Mapping

from sandbox.http import Answer, Json, answer_json


class Refused(Exception):
    """An answer in Fortnox's error envelope."""

    def __init__(self, code: int, message: str, status: int = 400, *, lowercase: bool = False) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status
        self.lowercase = lowercase

    def answer(self) -> Answer:
        keys = ("error", "message", "code") if self.lowercase else ("Error", "Message", "Code")
        document = dict(zip(keys, (1, self.message, self.code), strict=True))
        answer = answer_json({"ErrorInformation": document}, self.status)
        answer.code = self.code
        return answer


class AttachmentRefused(Exception):
    """An answer of the file attachment API, which has an envelope of its own."""

    def __init__(self, error: str, message: str = "", status: int = 400) -> None:
        super().__init__(error, message, status)
        self.error = error
        self.message = message or error.replace("_", " ")
        self.status = status

    def answer(self) -> Answer:
        document: Json = {"error": self.error, "id": "c0ffee", "message": self.message}
        answer = answer_json(document, self.status)
        answer.code = self.error
        return answer


# Fortnox publishes no codes for these; the numbers are ours.
DUPLICATE_DOCUMENT = 2999001
ALREADY_BOOKED = 2999002
DUPLICATE_PROJECT = 2999003
INVALID_CHOICE = 2999004
INVALID_DATE = 2999005
INVALID_COUNTRY = 2999006
INVALID_VAT_RATE = 2999007
INVALID_OCR = 2999008
DUPLICATE_OCR = 2999009
DOCUMENT_LOCKED = 2999010
NUMBER_FIXED = 2999011
TOO_MANY_ROWS = 2999012
BOOKKEEPING_STOPPED = 2999013
NOT_BOOKED = 2999014
NO_PERMISSION = 2999015
COST_CENTER_UNKNOWN = 2999016
NEGATIVE_PRICE = 2999020
CREDIT_REFUSED = 2999017
OCR_REFUSED = 2999018
BLANK_REFUSED = 2999019
FIELD_LOCKED = 2999030


def refuse_locked(given: Mapping[str, Json], words: Mapping[str, str]) -> None:
    """Refuse an update with a field that cannot be changed: the organisation number of a customer with e-invoices."""
    for name in given:
        if name in words:
            raise Refused(FIELD_LOCKED, words[name])


def unknown_field(name: str) -> Refused:
    return Refused(2001399, f"Felaktigt fältnamn ({name})")


def too_long(name: str, limit: int) -> Refused:
    return Refused(2000107, f"Värdet är för långt, högst {limit} tecken är tillåtna. ({name})")


def forbidden_characters(name: str) -> Refused:
    return Refused(2000359, f"Värdet innehåller ej tillåtna tecken. ({name})")


def not_alphanumeric(name: str) -> Refused:
    return Refused(2000106, f"Värdet måste vara alfanumeriskt ({name})")


def not_numeric(name: str) -> Refused:
    return Refused(2000108, f"Värdet måste vara numeriskt ({name})")


def not_boolean(name: str) -> Refused:
    return Refused(2000134, f"Värdet måste vara en boolean ({name})")


def missing(name: str) -> Refused:
    return Refused(2001795, f"Obligatoriskt fält saknas ({name})")


def no_data() -> Refused:
    return Refused(2001392, "Ingen eller felaktig typ av data.")


def customer_not_found() -> Refused:
    return Refused(2000433, "Kan inte hitta kunden.", 404)


def project_not_found(status: int = 404) -> Refused:
    return Refused(2001161, "Kan inte hitta projektet.", status)


def invoice_not_found() -> Refused:
    return Refused(2000434, "Kan inte hitta fakturan.", 404)


def invalid_parameter() -> Refused:
    return Refused(2000588, "Ogiltig parameter i anropet.", lowercase=True)


def invalid_filter() -> Refused:
    return Refused(2000587, "Ett ogiltigt filter har använts.", lowercase=True)
