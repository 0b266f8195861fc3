"""Maps Fortnox's codes and texts to situations, and explains an error to a person. Pure.

A code leads to a situation (`fortnox.situations`), and a situation to an error class, a reason and a remedy. Without a
published code, Fortnox's text decides. If neither is known, the person reads Fortnox's own message. Sources:
https://www.fortnox.se/developer/guides-and-good-to-know/errors, the error tables of Fortnox's OpenAPI document, and
codes that integrators have recorded or published.
"""

import re

from fortnox import errors as e
from fortnox.situations import SITUATIONS, Explanation, explanation
from messages import Message

CODES: dict[str, str] = {
    "1000003": "fortnox-fault",
    "1000030": "request",
    "1000031": "request",
    "2000106": "value",
    "2000107": "value",
    "2000108": "value",
    "2000134": "value",
    "2000204": "customer-unknown",
    "2000310": "login",
    "2000311": "login",
    "2004054": "login",
    "2000359": "characters",
    "2000401": "period-locked",
    "2002141": "period-locked",
    "2000423": "account-unknown",
    "2001304": "account-unknown",
    "2001798": "account-unknown",
    "2002462": "account-unknown",
    "2001265": "account-inactive",
    "2000550": "account-inactive",
    "2001403": "default-account-missing",
    "2003095": "default-account-missing",
    "2000427": "currency-unknown",
    "2000428": "register-missing",
    "2001302": "register-missing",
    "2000429": "register-missing",
    "2000430": "register-missing",
    "2000431": "register-missing",
    "2000432": "register-missing",
    "2000435": "register-missing",
    "2000439": "register-missing",
    "2000433": "customer-unknown",
    "2000434": "invoice-unknown",
    "2001161": "project-unknown",
    "2000499": "document-locked",
    "2001243": "document-locked",
    "2003055": "document-locked",
    "2003124": "document-locked",
    "2003125": "document-locked",
    "2003399": "document-locked",
    "2000587": "request",
    "2000588": "request",
    "2000663": "scope",
    "2001393": "scope",
    "2002455": "scope",
    "2001101": "licence",
    "2001103": "api-licence",
    "2000721": "code-used",
    "2000729": "request",
    "2000755": "value",
    "2000947": "cost-centre",
    "2001392": "request",
    "2001399": "request",
    "2001740": "request",
    "2002115": "request",
    "2001795": "request",
    "2001939": "voucher-series",
    "2001940": "voucher-series",
    "2003115": "vat-account",
    "2003126": "value",
    "2003127": "warehouse-fault",
    "2003241": "warehouse-fault",
    "2003275": "warehouse-fault",
    "2003277": "warehouse-fault",
    "2003498": "warehouse",
    "2003977": "row-text",
    "2004021": "value",
    "2004052": "vat-account",
    "2004167": "vat-rate",
    "2004194": "vat-number",
    # The file attachments' own words
    "file_too_big": "file",
    "wrong_file_type": "file",
    "too_many_attachments_in_one_request": "file",
    "max_total_attachments_exceeded": "file",
    "attachment_files_max_count_exceeded": "file",
    "attachment_files_max_size_exceeded": "file",
    "attachment_files_max_pages_exceeded": "file",
    "could_not_retrieve_document": "invoice-unknown",
    "document_not_found": "invoice-unknown",
    "no_attachment_provided": "request",
    "mixed_documents": "request",
    "wrong_file_location": "request",
    "field_not_writable": "request",
    "mismatch_attachment_id": "request",
    "missing_mandatory_field": "request",
}

# Codes reported with different texts: the text decides first.
AMBIGUOUS = frozenset({"2000204", "2001265", "2001304", "2000499", "2001243"})

# 2000637 is missing above on purpose. It says that a customer was deleted, that its number is used, and that its name
# is empty. The remedy of the first cannot be undone (a new number), so only the text leads there, and the caller looks
# whether the customer is there before it believes the text (`delivery.upsert`).

# Of these the number is Moment's. Another's (an organisation number that is used twice) is no reason to renumber.
NUMBER = r"\b(kund|projekt|faktura|dokument)?num(mer|ret)\w*\b"

# If the code is unknown, the first pattern that fits Fortnox's text decides.
TEXTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), situation)
    for pattern, situation in (
        (r"OCR-num\w* används redan", "ocr-taken"),
        (r"\bkundnum\w*\b.*\b(raderat|borttaget|tagits bort)\b", "customer-deleted"),
        (r"\bcustomer number\b.*\b(deleted|removed)\b", "customer-deleted"),
        (r"namn\w*\b.*(inte vara tomt|saknas|är obligatoriskt)|\bname\b.*(be empty|is (missing|required))", "value"),
        (rf"{NUMBER}.*(används redan|redan använts|finns redan|upptaget)", "number-taken"),
        (r"\b(customer|project|invoice|document) number\b.*\balready (in use|used|exists|taken)", "number-taken"),
        (r"OCR-num\w* är (ogiltigt|felaktigt)|ogiltigt OCR", "ocr-invalid"),
        (r"kontantmetoden", "cash-method"),
        (r"högst \d+ rader|för många rader", "rows"),
        (r"är makulerad\b|(bokförd|klarmarkerat)\b.*kan inte ändras", "document-locked"),
        (r"redan (bokförd|betald|makulerad|krediterad|klarmarkerad)", "document-locked"),
        (r"projektredovisningsperioden", "project-period"),
        (r"projekt\w*\b.*\b(avslutat|färdigt)", "project-ended"),
        (r"projekt är obligatoriskt", "project-mandatory"),
        (r"projekt (är inte tillåtet|får inte|är ej tillåtet|tillåts inte)", "project-forbidden"),
        (r"projekt\w*(redovisning|modul)\w* är inte (aktiv|påslagen)", "project-module-off"),
        (r"räkenskapsår\w* saknas|inget räkenskapsår|saknas räkenskapsår", "financial-year-missing"),
        (r"låst perioden|perioden är låst|låst period", "period-locked"),
        (r"förvalt konto\b.*saknas|saknas ett förvalt konto", "default-account-missing"),
        (r"konto\w* .*\bär inte aktiv", "account-inactive"),
        (
            r"(hitta|finns inte|saknas)\b.*\bkonto(t)?\b|\bkonto(t)?\b.*(finns inte|existerar inte|saknas)",
            "account-unknown",
        ),
        (r"saknar behörighet för kostnadsställe", "scope"),
        (r"kostnadsställe", "cost-centre"),
        (r"hitta (leveranssätt|leveransvillkor|betalningsvillkor|prislista)", "register-missing"),
        (r"momskod", "vat-account"),
        (r"momssats|moms(procent|värde)|hitta moms", "vat-rate"),
        (r"valuta\w*\b.*(finns inte|hitta|ogiltig)|(hitta|ogiltig)\w*\b.*valuta", "currency-unknown"),
        (r"verifikationsserie", "voucher-series"),
        (r"klarmarkera", "warehouse"),
        (r"ogiltig landskod", "country"),
        (r"värdet tolkas som null", "value"),
        (r"kan inte hitta kund|hämta/hitta kund", "customer-unknown"),
        (r"kan inte hitta projekt", "project-unknown"),
        (r"saknar behörighet för projekt", "project-module-off"),
        (r"saknar behörighet|inte behörighet", "scope"),
        (r"api-licens", "api-licence"),
        (r"licens\w*\b.*saknas|ingen aktiv licens", "licence"),
        (r"kunde inte bokföra", "posting-refused"),
    )
)


def situation_of(code: str, message: str, path: str = "") -> str:
    """Return the situation that a code, or else a message, describes; "" if none is known.

    On a project's path, a missing licence means that the project module is off.
    """
    by_text = next((name for text, name in TEXTS if text.search(message)), "")
    by_code = CODES.get(code, "")
    found = by_text or by_code if code in AMBIGUOUS else by_code or by_text
    return "project-module-off" if found == "licence" and path.startswith("/3/projects") else found


def explain(error: e.FortnoxError) -> Explanation:
    """Return why a request failed and what to do, for the company's accountant.

    If the situation is unknown, the reason quotes Fortnox's own message. It may repeat a value: never log it.
    """
    if error.situation in SITUATIONS:
        return explanation(error.situation)
    if error.message and isinstance(error, e.Rejected):
        reason = (
            Message("fortnox.refused-and-says-with-code", said=error.message, code=error.code)
            if error.code
            else Message("fortnox.refused-and-says", said=error.message)
        )
        return Explanation(reason, Message("fortnox.set-right"))
    if error.outcome is e.Outcome.RECONNECT:
        return explanation("grant-dead")
    ending = e.Outcome.FAIL if error.outcome is e.Outcome.HOLD else error.outcome
    return Explanation(
        Message(f"fortnox.general.{ending.value}.reason"), Message(f"fortnox.general.{ending.value}.remedy")
    )


def label(error: e.FortnoxError) -> str:
    """Return the situation's name and Fortnox's code, for lists, logs and mails: `period-locked 2000401`."""
    return " ".join(filter(None, (error.situation, error.code)))


def labelled(code: str) -> str:
    """Return the situation that a label names; "" if it names none."""
    return name if (name := code.partition(" ")[0]) in SITUATIONS else ""
