"""Fortnox's codes and texts as data: what each means, what happens next, and what a person does. Pure.

A code leads to a situation, a situation to an error class and to plain words in English and Swedish. Where
Fortnox publishes no code, its text decides; where neither is known, Fortnox's own message is what the person
reads. Sources: https://www.fortnox.se/developer/guides-and-good-to-know/errors, the error tables of Fortnox's
OpenAPI document, and the codes that integrators have recorded or published.
"""

import re
from typing import Literal, NamedTuple

from fortnox import errors as e

Language = Literal["en", "sv"]


class Explanation(NamedTuple):
    """Why it did not go through, and what to do."""

    reason: str
    remedy: str


class Situation(NamedTuple):
    error: type[e.FortnoxError]
    en: Explanation
    sv: Explanation


SITUATIONS: dict[str, Situation] = {
    # Something else must be right first
    "customer-unknown": Situation(
        e.UnknownCustomer,
        Explanation(
            "The customer does not exist in Fortnox.",
            "Save the customer in Moment, so that it is transferred; the invoice then follows by itself.",
        ),
        Explanation(
            "Kunden finns inte i Fortnox.",
            "Spara kunden i Moment så att den överförs; fakturan följer sedan av sig själv.",
        ),
    ),
    "project-unknown": Situation(
        e.UnknownProject,
        Explanation(
            "The project does not exist in Fortnox.",
            "Save the project in Moment, so that it is transferred; the invoice then follows by itself.",
        ),
        Explanation(
            "Projektet finns inte i Fortnox.",
            "Spara projektet i Moment så att det överförs; fakturan följer sedan av sig själv.",
        ),
    ),
    "project-period": Situation(
        e.UnknownProject,
        Explanation(
            "The date lies outside the project's start and end dates in Fortnox, or it is completed.",
            "Change the project's dates or status in Moment and save it; the invoice is then tried again.",
        ),
        Explanation(
            "Datumet ligger utanför projektets start- och slutdatum i Fortnox, eller så är det avslutat.",
            "Ändra projektets datum eller status i Moment och spara; fakturan prövas sedan igen.",
        ),
    ),
    "invoice-unknown": Situation(
        e.UnknownInvoice,
        Explanation(
            "The invoice does not exist in Fortnox.",
            "Transfer the invoice first; what refers to it then follows by itself.",
        ),
        Explanation(
            "Fakturan finns inte i Fortnox.",
            "För över fakturan först; det som hänvisar till den följer sedan av sig själv.",
        ),
    ),
    # Numbers
    "customer-number-reserved": Situation(
        e.NumberReserved,
        Explanation(
            "The customer number belonged to a customer deleted in Fortnox, and stays reserved there.",
            "Give the customer a new number in Moment and save it.",
        ),
        Explanation(
            "Kundnumret har tillhört en kund som är raderad i Fortnox och kan inte användas igen.",
            "Ge kunden ett nytt nummer i Moment och spara.",
        ),
    ),
    "number-taken": Situation(
        e.NumberTaken,
        Explanation(
            "The number is already used in Fortnox.",
            "Look in Fortnox what holds the number, and give one of the two another number.",
        ),
        Explanation(
            "Numret används redan i Fortnox.",
            "Se efter i Fortnox vad som har numret och ge den ena ett annat nummer.",
        ),
    ),
    "ocr-taken": Situation(
        e.NumberTaken,
        Explanation(
            "The payment reference (OCR) is already used by another invoice in Fortnox.",
            "Look in Fortnox which invoice has this OCR number, and check its number series and OCR.",
        ),
        Explanation(
            "OCR-numret används redan av en annan faktura i Fortnox.",
            "Se efter i Fortnox vilken faktura som har OCR-numret och kontrollera Nummerserier och OCR.",
        ),
    ),
    # Periods
    "period-locked": Situation(
        e.PeriodLocked,
        Explanation(
            "The bookkeeping period of this date is locked in Fortnox.",
            "Open the period in Fortnox (Settings, Bookkeeping, Locked period), then retry.",
        ),
        Explanation(
            "Bokföringsperioden för datumet är låst i Fortnox.",
            "Lås upp perioden i Fortnox (Inställningar, Bokföring, Låst period) och försök igen.",
        ),
    ),
    "financial-year-missing": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "There is no financial year in Fortnox for this date.",
            "Create the financial year in Fortnox, then retry.",
        ),
        Explanation(
            "Det finns inget räkenskapsår i Fortnox för datumet.",
            "Lägg upp räkenskapsåret i Fortnox och försök igen.",
        ),
    ),
    # Accounts, VAT, currency
    "account-unknown": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "An account on the invoice does not exist in Fortnox's chart of accounts for that year.",
            "Add the account in Fortnox, or change it in Moment; the account numbers must be equal in both.",
        ),
        Explanation(
            "Ett konto på fakturan finns inte i kontoplanen i Fortnox för det året.",
            "Lägg upp kontot i Fortnox eller ändra det i Moment; kontonumren måste vara lika i båda.",
        ),
    ),
    "account-inactive": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "An account on the invoice is not active in Fortnox.",
            "Make the account active in Fortnox's chart of accounts, then retry.",
        ),
        Explanation(
            "Ett konto på fakturan är inte aktivt i Fortnox.",
            "Aktivera kontot i kontoplanen i Fortnox och försök igen.",
        ),
    ),
    "default-account-missing": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "A predefined account that Fortnox needs here is not set.",
            "Set it in Fortnox (Settings, Bookkeeping, Predefined accounts), then retry.",
        ),
        Explanation(
            "Ett förvalt konto som Fortnox behöver saknas.",
            "Ange det i Fortnox (Inställningar, Bokföring, Förvalda konton) och försök igen.",
        ),
    ),
    "vat-rate": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "The VAT rate does not fit the account, or is not among the company's VAT rates in Fortnox.",
            "Compare the VAT code of the account in Fortnox with the one in Moment; they must be equal.",
        ),
        Explanation(
            "Momssatsen stämmer inte med kontot eller finns inte bland företagets momssatser i Fortnox.",
            "Jämför kontots momskod i Fortnox med den i Moment; de måste vara lika.",
        ),
    ),
    "vat-number": Situation(
        e.ValueRefused,
        Explanation("Fortnox does not accept the VAT number.", "Correct it, then save again."),
        Explanation("Fortnox godtar inte VAT-numret.", "Rätta det och spara igen."),
    ),
    "currency-unknown": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "The invoice's currency is not in Fortnox's currency register.",
            "Add the currency in Fortnox (Registers, Currencies), then retry.",
        ),
        Explanation(
            "Fakturans valuta finns inte i valutaregistret i Fortnox.",
            "Lägg upp valutan i Fortnox (Register, Valutor) och försök igen.",
        ),
    ),
    "project-mandatory": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "An account on the invoice demands a project.",
            "Put the invoice on a project in Moment, or change the account's project setting in Fortnox.",
        ),
        Explanation(
            "Ett konto på fakturan kräver projekt.",
            "Lägg fakturan på ett projekt i Moment eller ändra kontots projektinställning i Fortnox.",
        ),
    ),
    "project-forbidden": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "An account on the invoice does not allow a project.",
            "Use another account in Moment, or change the account's project setting in Fortnox.",
        ),
        Explanation(
            "Ett konto på fakturan tillåter inte projekt.",
            "Använd ett annat konto i Moment eller ändra kontots projektinställning i Fortnox.",
        ),
    ),
    "project-module-off": Situation(
        e.MissingLicence,
        Explanation(
            "The project module is not switched on in Fortnox, or closed to the user who connected.",
            "Switch on projects in Fortnox (a licence that contains them may be needed), then retry.",
        ),
        Explanation(
            "Projektmodulen är inte påslagen i Fortnox, eller stängd för den som kopplade.",
            "Slå på projekt i Fortnox (en licens som innehåller projekt kan behövas) och försök igen.",
        ),
    ),
    "cost-centre": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "A cost centre is missing or inactive in Fortnox.",
            "Activate it, or remove the account's demand for one, in Fortnox; then retry.",
        ),
        Explanation(
            "Ett kostnadsställe saknas eller är inaktivt i Fortnox.",
            "Aktivera det, eller ta bort kontots krav på kostnadsställe, i Fortnox och försök igen.",
        ),
    ),
    "register-missing": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "An article, unit, price list or term of the customer or invoice is missing in Fortnox.",
            "Open the customer in Fortnox, choose ones that exist, and retry.",
        ),
        Explanation(
            "En artikel, enhet, prislista eller ett villkor för kunden eller fakturan saknas i Fortnox.",
            "Öppna kunden i Fortnox, välj sådana som finns och försök igen.",
        ),
    ),
    "voucher-series": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "The voucher series is not set up for this in Fortnox.",
            "Check the voucher series in Fortnox (Settings, Bookkeeping), then retry.",
        ),
        Explanation(
            "Verifikationsserien är inte rätt inställd i Fortnox.",
            "Kontrollera verifikationsserierna i Fortnox (Inställningar, Bokföring) och försök igen.",
        ),
    ),
    "warehouse": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "Fortnox's warehouse module demands that an invoice is completed before it is posted.",
            "Complete the invoice (klarmarkera) in Fortnox, or switch the warehouse module off; then retry.",
        ),
        Explanation(
            "Lagermodulen i Fortnox kräver att fakturan klarmarkeras innan den bokförs.",
            "Klarmarkera fakturan i Fortnox eller stäng av lagermodulen och försök igen.",
        ),
    ),
    "posting-refused": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "Fortnox could not post the invoice.",
            "Fortnox's own message says why; set it right in Fortnox, then retry.",
        ),
        Explanation(
            "Fortnox kunde inte bokföra fakturan.",
            "Fortnox eget meddelande säger varför; rätta det i Fortnox och försök igen.",
        ),
    ),
    "cash-method": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "The company keeps its books by the cash method, so Fortnox does not post invoices when they are sent.",
            "Change the accounting method in Fortnox, or leave the invoice as it is: Fortnox posts its payment.",
        ),
        Explanation(
            "Företaget bokför enligt kontantmetoden, så Fortnox bokför inte fakturor när de skickas.",
            "Byt bokföringsmetod i Fortnox, eller låt fakturan vara: Fortnox bokför betalningen.",
        ),
    ),
    "document-locked": Situation(
        e.Rejected,
        Explanation(
            "The document can no longer be changed in Fortnox: it is posted, paid, completed or cancelled.",
            "Look at it in Fortnox; what differs must be corrected there, or credited in Moment.",
        ),
        Explanation(
            "Dokumentet kan inte längre ändras i Fortnox: bokfört, betalt, klarmarkerat eller makulerat.",
            "Se på det i Fortnox; skillnaden rättas där eller krediteras i Moment.",
        ),
    ),
    # Values
    "characters": Situation(
        e.ValueRefused,
        Explanation(
            "A text holds characters that Fortnox does not accept.",
            "Remove quotation marks, < >, emoji and the like in Moment, and save again.",
        ),
        Explanation(
            "En text innehåller tecken som Fortnox inte godtar.",
            "Ta bort citattecken, < >, emoji och liknande i Moment och spara igen.",
        ),
    ),
    "value": Situation(
        e.ValueRefused,
        Explanation(
            "Fortnox does not accept a value: its length or its form is not allowed.",
            "Fortnox's own message names the field; correct it in Moment and save again.",
        ),
        Explanation(
            "Fortnox godtar inte ett värde: längden eller formen är inte tillåten.",
            "Fortnox eget meddelande anger fältet; rätta det i Moment och spara igen.",
        ),
    ),
    "country": Situation(
        e.ValueRefused,
        Explanation("Fortnox does not know the country code.", "Correct the customer's country in Moment."),
        Explanation("Fortnox känner inte till landskoden.", "Rätta kundens land i Moment."),
    ),
    "ocr-invalid": Situation(
        e.ValueRefused,
        Explanation(
            "Fortnox does not accept the payment reference (OCR): its check digit is wrong.",
            "Correct the payment id in Moment, or Fortnox's OCR settings (Number series and OCR); then retry.",
        ),
        Explanation(
            "Fortnox godtar inte OCR-numret: kontrollsiffran är fel.",
            "Rätta betalnings-id i Moment eller inställningen Nummerserier och OCR i Fortnox och försök igen.",
        ),
    ),
    "rows": Situation(
        e.ValueRefused,
        Explanation(
            "The invoice has more rows than Fortnox takes.",
            "Divide it into several invoices in Moment, or use fewer accounts on it.",
        ),
        Explanation(
            "Fakturan har fler rader än Fortnox tar emot.",
            "Dela upp den på flera fakturor i Moment eller använd färre konton på den.",
        ),
    ),
    "row-text": Situation(
        e.ValueRefused,
        Explanation(
            "An invoice row has an amount but no description.",
            "Give every row a description in Moment.",
        ),
        Explanation(
            "En fakturarad har belopp men saknar beskrivning.",
            "Ge varje rad en beskrivning i Moment.",
        ),
    ),
    "file": Situation(
        e.FileRefused,
        Explanation(
            "Fortnox does not take the file: it is too large, of the wrong type, or there are too many.",
            "Add the file to the invoice in Fortnox by hand, or make it smaller and retry.",
        ),
        Explanation(
            "Fortnox tar inte emot filen: den är för stor, av fel typ eller så är de för många.",
            "Lägg till filen på fakturan i Fortnox för hand, eller gör den mindre och försök igen.",
        ),
    ),
    # Access
    "scope": Situation(
        e.MissingScope,
        Explanation(
            "The connection does not give access to this part of Fortnox.",
            "Connect again with a user who may use this part; the consent must name it.",
        ),
        Explanation(
            "Kopplingen ger inte behörighet till den här delen av Fortnox.",
            "Koppla igen med en användare som har behörighet; godkännandet måste omfatta delen.",
        ),
    ),
    "licence": Situation(
        e.MissingLicence,
        Explanation(
            "The company has no licence in Fortnox for this part, or none for integrations.",
            "Activate the licence in Fortnox, then retry.",
        ),
        Explanation(
            "Företaget saknar licens i Fortnox för den här delen, eller för integrationer.",
            "Aktivera licensen i Fortnox och försök igen.",
        ),
    ),
    "service-account": Situation(
        e.ConfigurationNeeded,
        Explanation(
            "Fortnox does not allow a service account here.",
            "Let a system administrator approve the connection as a service account, or connect without one.",
        ),
        Explanation(
            "Fortnox tillåter inte ett servicekonto här.",
            "Låt en systemadministratör godkänna kopplingen som servicekonto, eller koppla utan.",
        ),
    ),
    "code-used": Situation(
        e.CodeRefused,
        Explanation(
            "The authorization code is used up, expired or wrong: it lives ten minutes and works once.",
            "Start the connection again to get a new code.",
        ),
        Explanation(
            "Auktoriseringskoden är förbrukad, för gammal eller fel: den gäller i tio minuter och en gång.",
            "Starta kopplingen på nytt för att få en ny kod.",
        ),
    ),
    "grant-dead": Situation(
        e.GrantDead,
        Explanation(
            "The connection to Fortnox has ended: the consent was withdrawn or has lapsed.",
            "Connect again. What has happened since is kept, and is transferred in order afterwards.",
        ),
        Explanation(
            "Kopplingen till Fortnox har upphört: godkännandet är återkallat eller har gått ut.",
            "Koppla igen. Det som hänt sedan dess finns kvar och överförs i ordning efteråt.",
        ),
    ),
    "login": Situation(
        e.TokenRefused,
        Explanation("Fortnox refuses the login.", "If it lasts, connect again."),
        Explanation("Fortnox nekar inloggningen.", "Om det består, koppla igen."),
    ),
    "client": Situation(
        e.ClientRefused,
        Explanation(
            "Fortnox refuses this installation's client id or secret.",
            "The operator corrects FORTNOX_CLIENT_ID and FORTNOX_CLIENT_SECRET; nothing is lost meanwhile.",
        ),
        Explanation(
            "Fortnox nekar installationens klient-id eller hemlighet.",
            "Driften rättar FORTNOX_CLIENT_ID och FORTNOX_CLIENT_SECRET; inget går förlorat under tiden.",
        ),
    ),
    # Neither the company's nor the data's
    "request": Situation(
        e.RequestRefused,
        Explanation(
            "Fortnox did not understand the request. This is a fault of the integration, not of yours.",
            "Tell the operator; the event is kept and can be retried after a correction.",
        ),
        Explanation(
            "Fortnox förstod inte anropet. Felet ligger i integrationen, inte hos er.",
            "Meddela driften; händelsen finns kvar och kan köras igen efter rättning.",
        ),
    ),
    "fortnox-fault": Situation(
        e.Unavailable,
        Explanation("Fortnox has an internal fault.", "Nothing: it is tried again by itself."),
        Explanation("Fortnox har ett internt fel.", "Inget: det prövas igen av sig självt."),
    ),
}

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
    "2000637": "customer-number-reserved",
    "2000663": "scope",
    "2001393": "scope",
    "2002455": "scope",
    "2001101": "licence",
    "2001103": "licence",
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
    "2003115": "vat-rate",
    "2003126": "value",
    "2003127": "warehouse",
    "2003241": "warehouse",
    "2003275": "warehouse",
    "2003277": "warehouse",
    "2003498": "warehouse",
    "2003977": "row-text",
    "2004021": "value",
    "2004052": "vat-rate",
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

# Where the code is unknown or not published, Fortnox's text decides; the first that fits.
TEXTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), situation)
    for pattern, situation in (
        (r"OCR-num\w* används redan", "ocr-taken"),
        (r"nummer\w*\b.*(har redan använts|raderat)", "customer-number-reserved"),
        (r"num(mer|ret)\w*\b.*(används redan|finns redan|upptaget)", "number-taken"),
        (r"OCR-num\w* är (ogiltigt|felaktigt)|ogiltigt OCR", "ocr-invalid"),
        (r"kontantmetoden", "cash-method"),
        (r"högst \d+ rader|för många rader", "rows"),
        (r"är makulerad\b|(bokförd|klarmarkerat)\b.*kan inte ändras", "document-locked"),
        (r"redan (bokförd|betald|makulerad|krediterad|klarmarkerad)", "document-locked"),
        (r"projektredovisningsperioden|projekt\w*\b.*\b(avslutat|färdigt)", "project-period"),
        (r"projekt är obligatoriskt", "project-mandatory"),
        (r"projekt (är inte tillåtet|får inte|är ej tillåtet|tillåts inte)", "project-forbidden"),
        (r"projekt\w*(redovisning|modul)\w* är inte (aktiv|påslagen)", "project-module-off"),
        (r"räkenskapsår\w* saknas|inget räkenskapsår|saknas räkenskapsår", "financial-year-missing"),
        (r"låst perioden|perioden är låst|låst period", "period-locked"),
        (r"förvalt konto\b.*saknas|saknas ett förvalt konto", "default-account-missing"),
        (r"konto\w* .*\bär inte aktiv", "account-inactive"),
        (r"(hitta|finns inte|saknas)\b.*\bkonto(t)?\b|\bkonto(t)?\b.*(finns inte|saknas)", "account-unknown"),
        (r"kostnadsställe", "cost-centre"),
        (r"momssats|momskod|moms(procent|värde)", "vat-rate"),
        (r"valuta\w*\b.*(finns inte|hitta|ogiltig)|(hitta|ogiltig)\w*\b.*valuta", "currency-unknown"),
        (r"verifikationsserie", "voucher-series"),
        (r"klarmarkera", "warehouse"),
        (r"ogiltig landskod", "country"),
        (r"värdet tolkas som null", "value"),
        (r"kan inte hitta kund|hämta/hitta kund", "customer-unknown"),
        (r"kan inte hitta projekt", "project-unknown"),
        (r"saknar behörighet för projekt", "project-module-off"),
        (r"saknar behörighet|inte behörighet", "scope"),
        (r"licens\w*\b.*saknas|ingen aktiv licens", "licence"),
        (r"kunde inte bokföra", "posting-refused"),
    )
)


def situation_of(code: str, message: str, path: str = "") -> str:
    """The situation that a code, or else a message, describes; "" for one that nobody has described yet.

    On a project's path a missing licence means that the project module is off.
    """
    found = CODES.get(code) or next((name for text, name in TEXTS if text.search(message)), "")
    return "project-module-off" if found == "licence" and path.startswith("/3/projects") else found


def explain(error: e.FortnoxError, language: Language = "en") -> Explanation:
    """Why it did not go through and what to do, for the company's accountant.

    Fortnox's own message where the situation is unknown. Not for a log: it may repeat a value.
    """
    situation = SITUATIONS.get(error.situation)
    if situation is not None:
        return situation.en if language == "en" else situation.sv
    if error.message and isinstance(error, e.Rejected):
        said, remedy = _FALLBACK[language]
        number = f" ({error.code})" if error.code else ""
        return Explanation(f"{said}: {error.message}{number}", remedy)
    return _GENERAL[language].get(error.outcome) or _GENERAL[language][e.Outcome.FAIL]


_FALLBACK: dict[Language, tuple[str, str]] = {
    "en": ("Fortnox refused it and says", "Set right what Fortnox names, then retry."),
    "sv": ("Fortnox nekade och säger", "Rätta det som Fortnox anger och försök igen."),
}
_GENERAL: dict[Language, dict[e.Outcome, Explanation]] = {
    "en": {
        e.Outcome.FAIL: Explanation(
            "Fortnox refused it without saying why.", "Retry; if it is refused again, tell the operator."
        ),
        e.Outcome.RETRY: Explanation("Fortnox cannot be reached.", "Nothing: it is tried again by itself."),
        e.Outcome.WAIT: Explanation("Fortnox asks us to wait.", "Nothing: it goes on by itself."),
        e.Outcome.UNKNOWN: Explanation(
            "Fortnox did not answer, so it is not known whether it arrived.",
            "Nothing: it is looked up in Fortnox before it is sent again.",
        ),
        e.Outcome.RECONNECT: SITUATIONS["grant-dead"].en,
    },
    "sv": {
        e.Outcome.FAIL: Explanation(
            "Fortnox nekade utan att säga varför.", "Försök igen; nekas det på nytt, meddela driften."
        ),
        e.Outcome.RETRY: Explanation("Fortnox går inte att nå.", "Inget: det prövas igen av sig självt."),
        e.Outcome.WAIT: Explanation("Fortnox ber oss vänta.", "Inget: det går vidare av sig självt."),
        e.Outcome.UNKNOWN: Explanation(
            "Fortnox svarade inte, så det är okänt om det kom fram.",
            "Inget: det slås upp i Fortnox innan det skickas igen.",
        ),
        e.Outcome.RECONNECT: SITUATIONS["grant-dead"].sv,
    },
}
