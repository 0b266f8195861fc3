"""Fortnox's error tree, its code table, and the one function from an answer to an error."""

import pickle
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import simplejson
from requests.structures import CaseInsensitiveDict

from fortnox import codes
from fortnox import errors as e
from fortnox.codes import CODES, SITUATIONS, TEXTS, explain
from fortnox.errors import Details, FortnoxError, Outcome
from fortnox.responses import Call, Reply, oauth_error, read, retry_after, unanswered
from fortnox.situations import explanation
from messages import Message
from messages.catalogue import Language, say
from tasks.flows import SCOPES

GET_CUSTOMER = Call("GET", "/3/customers/{number}", "r1", repeatable=True)
POST_CUSTOMER = Call("POST", "/3/customers", "r1", repeatable=False)
PUT_CUSTOMER = Call("PUT", "/3/customers/{number}", "r1", repeatable=True)
GET_PROJECT = Call("GET", "/3/projects/{number}", "r1", repeatable=True)
POST_PROJECT = Call("POST", "/3/projects", "r1", repeatable=False)
POST_INVOICE = Call("POST", "/3/invoices", "r1", repeatable=False)
GET_INVOICE = Call("GET", "/3/invoices/{number}", "r1", repeatable=True)
BOOKKEEP = Call("PUT", "/3/invoices/{number}/bookkeep", "r1", repeatable=False)
GET_ACCOUNT = Call("GET", "/3/accounts/{number}", "r1", repeatable=True)
ATTACH = Call("POST", "/api/fileattachments/attachments-v1", "r1", repeatable=False)
TOKEN = Call("POST", "/oauth-v1/token", "r1", repeatable=False)

HTML = b"<html><body><h1>503</h1></body></html>"


def capital(code: Any, message: str = "Text") -> bytes:
    return json({"ErrorInformation": {"Error": 1, "Message": message, "Code": code}})


def small(code: Any, message: str = "Text") -> bytes:
    return json({"ErrorInformation": {"error": 1, "message": message, "code": code}})


def json(document: Any) -> bytes:
    return simplejson.dumps(document).encode()


def error_for(call: Call, status: int, body: bytes, headers: dict[str, str] | None = None) -> FortnoxError:
    with pytest.raises(FortnoxError) as caught:
        read(call, Reply(status, CaseInsensitiveDict(headers or {}), body))
    return caught.value


def all_errors(root: type[FortnoxError] = FortnoxError) -> list[type[FortnoxError]]:
    return [root, *(found for child in root.__subclasses__() for found in all_errors(child))]


DELETED = "Kundnummer 1 används redan. Kundnumret har redan använts men blivit raderat."


@pytest.mark.parametrize(
    ("call", "status", "body", "expected"),
    [
        # the envelope's spellings
        (GET_CUSTOMER, 404, capital(2000433), e.NotFound),
        (GET_CUSTOMER, 404, small(2000433), e.NotFound),
        (GET_CUSTOMER, 404, capital("2000433"), e.NotFound),
        (GET_CUSTOMER, 400, json({"errorinformation": {"CODE": "2000588"}}), e.RequestRefused),
        (POST_CUSTOMER, 200, capital(2000359), e.ValueRefused),
        (POST_CUSTOMER, 201, capital(1, "Okänt"), e.Rejected),
        (ATTACH, 400, json({"error": "file_too_big", "id": "x", "message": "Too big"}), e.FileRefused),
        (ATTACH, 404, json({"error": "file_not_found", "id": "x", "message": ""}), e.NotFound),
        (ATTACH, 404, json({"error": "document_not_found", "id": "x", "message": ""}), e.UnknownInvoice),
        # the same code, as what is asked for and as what something else needs
        (POST_INVOICE, 400, capital(2000204), e.UnknownCustomer),
        (POST_INVOICE, 404, capital(2000433), e.UnknownCustomer),
        (POST_INVOICE, 400, capital(2001161), e.UnknownProject),
        (POST_INVOICE, 400, capital(2000434), e.UnknownInvoice),
        (GET_PROJECT, 404, capital(2001161), e.NotFound),
        (GET_INVOICE, 404, capital(2000434), e.NotFound),
        (BOOKKEEP, 404, capital(2000434), e.NotFound),
        (GET_ACCOUNT, 404, capital(2000423), e.NotFound),
        (GET_INVOICE, 404, capital(2000729, "Kan inte hitta filen."), e.NotFound),
        (GET_INVOICE, 400, capital(2000729, "A valid identifier was not provided."), e.RequestRefused),
        (POST_INVOICE, 400, capital(2000423), e.ConfigurationNeeded),
        # a known code decides, whatever the status
        # a code with several meanings: the text decides, and without a text nothing is concluded
        (POST_CUSTOMER, 400, capital(2000637, DELETED), e.NumberReserved),
        (POST_CUSTOMER, 500, capital(2000637, DELETED), e.NumberReserved),
        (POST_CUSTOMER, 400, capital(2000637, "Kundnamn kan inte vara tomt."), e.ValueRefused),
        (POST_CUSTOMER, 400, capital(2000637, ""), e.Rejected),
        (BOOKKEEP, 400, capital(2000401), e.PeriodLocked),
        (POST_CUSTOMER, 400, capital(2000663), e.MissingScope),
        (POST_CUSTOMER, 403, capital(2001101), e.MissingLicence),
        (POST_CUSTOMER, 403, capital(2000310), e.TokenRefused),
        (POST_CUSTOMER, 400, capital(2001399), e.RequestRefused),
        # texts whose code nobody has published
        (BOOKKEEP, 400, capital(9, "Projektredovisningsperioden är inte aktiv för projekt 1"), e.UnknownProject),
        (BOOKKEEP, 400, capital(9, "Räkenskapsår saknas för valt datum"), e.ConfigurationNeeded),
        (BOOKKEEP, 400, capital(9, "Fakturanummer 7 är redan bokförd."), e.Rejected),
        (POST_INVOICE, 400, capital(9, "Fakturanummer 1001 används redan."), e.NumberTaken),
        (POST_INVOICE, 400, capital(9, "OCR-numret används redan"), e.NumberTaken),
        (POST_INVOICE, 400, capital(9, "Något helt nytt"), e.Rejected),
        # a status that speaks for itself
        (GET_CUSTOMER, 401, json({"message": "unauthorized"}), e.TokenRefused),
        (GET_CUSTOMER, 401, b"", e.TokenRefused),
        (GET_CUSTOMER, 403, json({"message": "Forbidden"}), e.MissingScope),
        (GET_CUSTOMER, 403, HTML, e.Unavailable),
        (GET_CUSTOMER, 404, HTML, e.NotFound),
        (POST_CUSTOMER, 415, b"", e.RequestRefused),
        (ATTACH, 413, HTML, e.FileRefused),
        (POST_CUSTOMER, 302, b"", e.Unavailable),
        (POST_CUSTOMER, 400, HTML, e.Rejected),
        (POST_CUSTOMER, 400, b"", e.Rejected),
        # nothing can be said of a write without a readable answer; a read, or the same update again, does no harm
        (GET_CUSTOMER, 500, HTML, e.Unavailable),
        (GET_CUSTOMER, 503, b"", e.Unavailable),
        (GET_CUSTOMER, 200, HTML, e.Unavailable),
        (GET_CUSTOMER, 500, capital(1000003, "System exception"), e.Unavailable),
        (PUT_CUSTOMER, 502, HTML, e.Unavailable),
        (PUT_CUSTOMER, 200, HTML, e.Unavailable),
        (POST_CUSTOMER, 500, capital(1000003, "System exception"), e.OutcomeUnknown),
        (POST_CUSTOMER, 502, HTML, e.OutcomeUnknown),
        (POST_CUSTOMER, 503, b"", e.OutcomeUnknown),
        (POST_CUSTOMER, 504, b"", e.OutcomeUnknown),
        (POST_CUSTOMER, 201, HTML, e.OutcomeUnknown),
        (POST_CUSTOMER, 408, b"", e.OutcomeUnknown),
        (BOOKKEEP, 500, b"", e.OutcomeUnknown),
        (POST_CUSTOMER, 429, b"", e.Throttled),
        (GET_CUSTOMER, 429, HTML, e.Throttled),
    ],
)
def test_an_answer_becomes_the_error_that_says_what_happens_next(
    call: Call, status: int, body: bytes, expected: type[FortnoxError]
) -> None:
    assert type(error_for(call, status, body)) is expected


def test_a_good_answer_is_read_with_exact_numbers() -> None:
    document = read(GET_INVOICE, Reply(200, {}, b'{"Invoice": {"Total": 12500.10, "DocumentNumber": "1"}}'))

    assert str(document["Invoice"]["Total"]) == "12500.10"


def test_an_empty_good_answer_is_none() -> None:
    assert read(PUT_CUSTOMER, Reply(204, {}, b"")) is None


def test_an_error_carries_codes_and_the_servers_own_request_id() -> None:
    error = error_for(ATTACH, 400, json({"error": "file_too_big", "id": "c0ffee", "message": "Too big"}))

    assert (error.code, error.status, error.message) == ("file_too_big", 400, "Too big")
    assert error.details.request_id == "c0ffee"
    assert error.details.path == "/api/fileattachments/attachments-v1"


def test_what_is_logged_of_an_error_holds_no_value_of_the_companys() -> None:
    error = error_for(POST_CUSTOMER, 400, capital(2000359, "Värdet innehåller ej tillåtna tecken. (Anna Ek)"))

    assert "Anna" in error.message
    assert "Anna" not in f"{error} {error!r} {error.details!r}"
    assert "2000359" in str(error)


def test_a_token_that_a_message_repeats_is_hidden() -> None:
    error = error_for(POST_CUSTOMER, 400, capital(9, "Bad header: Bearer abcdef0123456789"))

    assert "abcdef" not in error.message


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind: type[FortnoxError]) -> None:
    details = Details("POST", "/3/invoices", 400, "2000433", "r1", "customer-unknown", "Kan inte hitta kunden.")
    error = kind(details, 3.5) if issubclass(kind, e.Throttled) else kind(details)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert copy.details == details
    assert str(copy) == str(error)
    assert getattr(copy, "retry_after", None) == getattr(error, "retry_after", None)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", e.__doc__ or "")

    assert drawn == [kind.__name__ for kind in all_errors()[1:]]


def test_every_error_says_what_happens_next() -> None:
    outcomes = {kind.__name__: kind.outcome for kind in all_errors()[1:]}

    assert outcomes.pop("GrantDead") is Outcome.RECONNECT
    assert outcomes.pop("OutcomeUnknown") is Outcome.UNKNOWN
    assert outcomes["UnknownProject"] is Outcome.HOLD
    assert outcomes["WindowFull"] is Outcome.WAIT
    assert outcomes["Unavailable"] is Outcome.RETRY
    assert outcomes["PeriodLocked"] is Outcome.FAIL


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", None),
        ("999999", 3600.0),
        ("-3", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_never_blindly(given: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

    assert retry_after(CaseInsensitiveDict({"retry-after": given}), now) == seconds


def test_a_throttle_says_how_long_even_when_fortnox_does_not() -> None:
    told = error_for(POST_CUSTOMER, 429, b"", {"Retry-After": "2"})
    untold = error_for(POST_CUSTOMER, 429, b"")

    assert isinstance(told, e.Throttled)
    assert isinstance(untold, e.Throttled)
    assert (told.retry_after, untold.retry_after) == (2.0, 5.0)


def test_an_outage_says_how_long_where_fortnox_does() -> None:
    error = error_for(GET_CUSTOMER, 503, b"", {"Retry-After": "120"})

    assert isinstance(error, e.Unavailable)
    assert error.retry_after == 120.0


def test_what_was_never_sent_cannot_have_landed() -> None:
    assert type(unanswered(POST_INVOICE, "refused", sent=False)) is e.Unavailable
    assert type(unanswered(POST_INVOICE, "timed out", sent=True)) is e.OutcomeUnknown
    assert type(unanswered(GET_INVOICE, "timed out", sent=True)) is e.Unavailable


@pytest.mark.parametrize(
    ("status", "body", "refused", "expected"),
    [
        (400, {"error": "invalid_grant", "error_description": "Invalid refresh token"}, e.GrantDead, e.GrantDead),
        (400, {"error": "invalid_grant", "error_description": "x"}, e.CodeRefused, e.CodeRefused),
        (401, {"error": "invalid_client", "error_description": "x"}, e.GrantDead, e.ClientRefused),
        (400, {"error": "invalid_scope"}, e.GrantDead, e.MissingScope),
        (400, {"error": "unauthorized_client"}, e.CodeRefused, e.ConfigurationNeeded),
        (401, {}, e.GrantDead, e.ClientRefused),
        (500, {"error": "invalid_grant"}, e.GrantDead, e.OutcomeUnknown),
        (502, None, e.GrantDead, e.OutcomeUnknown),
        (429, None, e.GrantDead, e.Throttled),
        (400, {"error": "something_new"}, e.GrantDead, e.Rejected),
    ],
)
def test_a_token_refusal_is_read_whatever_its_content_type(
    status: int, body: Any, refused: type[FortnoxError], expected: type[FortnoxError]
) -> None:
    content = HTML if body is None else json(body)
    headers = CaseInsensitiveDict({"Content-Type": "text/html"})

    assert type(oauth_error(TOKEN, Reply(status, headers, content), refused)) is expected


# --- the table ---------------------------------------------------------------------------------------


def test_every_code_and_text_leads_to_a_situation_that_exists() -> None:
    named = {*CODES.values(), *(situation for _, situation in TEXTS)}

    assert named <= set(SITUATIONS)


def test_every_situation_can_be_reached() -> None:
    reached = {*CODES.values(), *(situation for _, situation in TEXTS)}
    by_rule = {"project-module-off", "service-account", "grant-dead", "client"}  # by path, or at the token endpoint

    assert set(SITUATIONS) == reached | by_rule


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_explained_in_both_languages_with_what_to_do(name: str) -> None:
    english, swedish = ([say(one, language) for one in explanation(name)] for language in get_args(Language))

    for words in (*english, *swedish):
        assert words.endswith(".")
        assert len(words) < 200
    assert english != swedish


@pytest.mark.parametrize(
    ("message", "situation"),
    [
        ("OCR-numret används redan", "ocr-taken"),
        ("Ogiltig landskod (CountryCode)", "country"),
        ("Värdet tolkas som null", "value"),
        ("Projektredovisningsperioden är inte aktiv för projekt 1", "project-period"),
        ("Kunde inte bokföra fakturanummer 7. Projekt är obligatoriskt på konto 3010", "project-mandatory"),
        ("Projekt är inte tillåtet på konto 3010", "project-forbidden"),
        ("Kunde inte bokföra fakturanummer 7. Förvalt konto för fakturaavgift saknas.", "default-account-missing"),
        ("Ogiltig verifikationsserie", "voucher-series"),
        ("Verifikationsserien är inte manuell", "voucher-series"),
        ("Konto 3010 är inte aktivt", "account-inactive"),
        ("Kunde inte hitta konto 3010", "account-unknown"),
        ("Räkenskapsår saknas för valt datum", "financial-year-missing"),
        ("Anna har låst perioden t.o.m. 2026-10-31", "period-locked"),
        ("Faktura som bokförs måste var klarmarkerad", "warehouse"),
        ("Saknar behörighet för leverantörsregister.", "scope"),
        ("Api-licens saknas.", "api-licence"),
        ("Kundnummer 1 används redan. Kundnumret har redan använts men blivit raderat.", "customer-deleted"),
        ("The customer number 1 is already used. The customer number has been used but deleted.", "customer-deleted"),
        ("Kundnummer 1 används redan.", "number-taken"),
        ("Kundnumret har redan använts.", "number-taken"),
        ("Customer number 1 is already in use.", "number-taken"),
        ("Organisationsnumret används redan av kund 7.", ""),
        ("Organisationsnummer 556677-8899 har redan använts men blivit raderat.", ""),
        ("The organization number already exists.", ""),
        ("Kundnamn kan inte vara tomt.", "value"),
        ("Namnet saknas.", "value"),
        ("Customer name cannot be empty.", "value"),
        ("Name is required.", "value"),
        ("Fakturanummer 1001 används redan.", "number-taken"),
        ("Fakturanummer 1001 är redan bokförd.", "document-locked"),
        ("Kunde inte bokföra fakturanummer 7. Någonting nytt.", "posting-refused"),
        ("Kunde inte bokföra fakturanummer 7. Bokföringsmetoden är kontantmetoden.", "cash-method"),
        ("Kunde inte bokföra fakturanummer 7. Fakturan är makulerad.", "document-locked"),
        ("OCR-numret är ogiltigt.", "ocr-invalid"),
        ("Högst 500 rader är tillåtna.", "rows"),
        ("Ogiltig momssats (7)", "vat-rate"),
        ("Kan inte hitta valutan.", "currency-unknown"),
        ("Kunde inte hitta kostnadsställe", "cost-centre"),
        ("Saknar behörighet för kostnadsställen.", "scope"),
        ("Kunde inte hämta/hitta leveranssätt.", "register-missing"),
        ("Kunde inte hämta/hitta moms", "vat-rate"),
        ("Projekt 1 är avslutat.", "project-ended"),
        ("Saknar behörighet för projektregister.", "project-module-off"),
        ("Något annat", ""),
    ],
)
def test_a_text_without_a_known_code_is_recognised(message: str, situation: str) -> None:
    assert codes.situation_of("999", message) == situation


@pytest.mark.parametrize("code", codes.CODES)
def test_no_code_alone_leads_to_a_remedy_that_cannot_be_undone(code: str) -> None:
    """A new number, or an invoice billed anew: these need Fortnox's words, and a look."""
    assert codes.situation_of(code, "") not in {"customer-deleted", "number-taken", "ocr-taken"}


def test_a_missing_licence_for_projects_means_that_the_module_is_off() -> None:
    error = error_for(POST_PROJECT, 403, capital(2001101, "Det finns ingen aktiv licens för önskat scope"))

    assert explain(error).reason == Message("fortnox.project-module-off.reason")


@pytest.mark.parametrize("language", get_args(Language))
def test_an_unknown_refusal_is_explained_in_fortnoxs_own_words(language: Language) -> None:
    error = error_for(POST_INVOICE, 400, capital(4711, "Månen är i vägen."))

    reason, remedy = explain(error)

    assert "Månen är i vägen." in say(reason, language)
    assert "(4711)" in say(reason, language)
    assert say(remedy, language)


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", all_errors()[1:], ids=lambda kind: kind.__name__)
def test_every_error_can_be_explained_even_without_words_of_fortnoxs(
    kind: type[FortnoxError], language: Language
) -> None:
    error = kind(Details(), 1.0) if issubclass(kind, e.Throttled) else kind(Details())

    assert all(one.key not in say(one, language) for one in explain(error))


def test_the_page_about_fortnox_names_every_leaf_of_the_tree_and_every_scope() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fortnox.md").read_text()
    leaves = [kind.__name__ for kind in all_errors() if not kind.__subclasses__()]

    assert [name for name in leaves if f"`{name}`" not in page] == []
    assert {name: use for name, use in SCOPES.items() if f"| `{name}` | {use} |" not in page} == {}
