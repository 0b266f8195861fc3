"""What can stand in the way in Fortnox, as data: outcome, whom it concerns, why and what to do. Pure.

A situation's name is stable: it stands in an event's code, in mails, and is the name of its page in docs/situations.
What happens next follows from its error class (`fortnox.errors`).
"""

from typing import Literal, NamedTuple

from fortnox import errors as e

Whom = Literal["accountant", "administrator", "project", "operator", "nobody"]

# Who does what the remedy says, as the pages call them.
WHOM: dict[Whom, str] = {
    "accountant": "the accountant, in Fortnox",
    "administrator": "a system administrator of the company's Fortnox",
    "project": "whoever keeps customers, projects and invoices in Moment",
    "operator": "whoever runs the integration",
    "nobody": "nobody",
}

# What happens by itself, by how the situation ends: English, Swedish.
AFTERWARDS: dict[str, tuple[str, str]] = {
    "fail": (
        "The event is kept and is tried again when somebody retries it; what needs this one waits for it.",
        "Händelsen sparas och prövas igen när någon kör om den; det som behöver den väntar.",
    ),
    "prerequisite": (
        "The event waits. It is tried again by itself when that customer, project or invoice is next transferred.",
        "Händelsen väntar. Den prövas igen av sig själv när kunden, projektet eller fakturan nästa gång överförs.",
    ),
    "access": (
        "Only what needs this part waits, in order; everything else goes on. It is tried every ten minutes.",
        "Bara det som behöver den här delen väntar, i ordning; allt annat fortsätter. Det prövas var tionde minut.",
    ),
    "reconnect": (
        "Everything of the company waits, in order, and goes through by itself after reconnecting.",
        "Allt för företaget väntar, i ordning, och går igenom av sig självt när ni har kopplat igen.",
    ),
    "retry": (
        "It is tried again by itself, for about a day.",
        "Det prövas igen av sig självt, i ungefär ett dygn.",
    ),
}


class Explanation(NamedTuple):
    """Why it did not go through, and what to do: a sentence or two each, for an accountant."""

    reason: str
    remedy: str


class Situation(NamedTuple):
    error: type[e.FortnoxError]
    whom: Whom
    en: Explanation
    sv: Explanation

    @property
    def ending(self) -> str:
        """How it ends: a key of `AFTERWARDS`."""
        if issubclass(self.error, e.AccessMissing):
            return "access"
        endings = {e.Outcome.HOLD: "prerequisite", e.Outcome.RECONNECT: "reconnect", e.Outcome.RETRY: "retry"}
        return endings.get(self.error.outcome, "fail")


SITUATIONS: dict[str, Situation] = {
    # Something else must be right first
    "customer-unknown": Situation(
        e.UnknownCustomer,
        "project",
        Explanation(
            "The customer does not exist in Fortnox: it was never transferred, or was deleted there.",
            "Save the customer in Moment, so that it is transferred; the invoice then follows by itself.",
        ),
        Explanation(
            "Kunden finns inte i Fortnox: den har aldrig överförts eller är raderad där.",
            "Spara kunden i Moment så att den överförs; fakturan följer sedan av sig själv.",
        ),
    ),
    "customer-deleted": Situation(
        e.NumberReserved,
        "project",
        Explanation(
            "The customer was deleted in Fortnox, and its customer number stays reserved there for good.",
            "Give the customer a new number in Moment and save it; bill what was not transferred anew on it.",
        ),
        Explanation(
            "Kunden är raderad i Fortnox, och kundnumret är spärrat där för alltid.",
            "Ge kunden ett nytt kundnummer i Moment och spara; fakturera det som inte överförts på nytt på det.",
        ),
    ),
    "project-unknown": Situation(
        e.UnknownProject,
        "project",
        Explanation(
            "The project does not exist in Fortnox: it was never transferred, or was deleted there.",
            "Save the project in Moment, so that it is transferred; the invoice then follows by itself.",
        ),
        Explanation(
            "Projektet finns inte i Fortnox: det har aldrig överförts eller är raderat där.",
            "Spara projektet i Moment så att det överförs; fakturan följer sedan av sig själv.",
        ),
    ),
    "project-period": Situation(
        e.UnknownProject,
        "project",
        Explanation(
            "The invoice date lies outside the project's dates in Fortnox, or the project has no start date.",
            "Correct the project's dates in Moment and save it; the invoice is then tried again by itself.",
        ),
        Explanation(
            "Fakturadatumet ligger utanför projektets datum i Fortnox, eller så saknar projektet startdatum där.",
            "Rätta projektets datum i Moment och spara; fakturan prövas sedan igen av sig själv.",
        ),
    ),
    "project-ended": Situation(
        e.UnknownProject,
        "project",
        Explanation(
            "The project is completed in Fortnox, so nothing more can be posted on it.",
            "Open the project again in Moment and save it; the invoice is then tried again by itself.",
        ),
        Explanation(
            "Projektet är avslutat i Fortnox, så inget mer kan bokföras på det.",
            "Öppna projektet igen i Moment och spara; fakturan prövas sedan igen av sig själv.",
        ),
    ),
    "invoice-unknown": Situation(
        e.UnknownInvoice,
        "project",
        Explanation(
            "The invoice that this one refers to does not exist in Fortnox.",
            "See to it that the credited invoice is transferred first, then retry.",
        ),
        Explanation(
            "Fakturan som den här hänvisar till finns inte i Fortnox.",
            "Se till att den krediterade fakturan är överförd och försök sedan igen.",
        ),
    ),
    # Numbers
    "number-taken": Situation(
        e.NumberTaken,
        "accountant",
        Explanation(
            "The number is already used by something else in Fortnox.",
            "Look in Fortnox what holds the number, and give one of the two another number.",
        ),
        Explanation(
            "Numret används redan av något annat i Fortnox.",
            "Se efter i Fortnox vad som har numret och ge den ena ett annat nummer.",
        ),
    ),
    "ocr-taken": Situation(
        e.NumberTaken,
        "accountant",
        Explanation(
            "The payment reference (OCR) is already used by another invoice in Fortnox.",
            "Look in Fortnox which invoice has this OCR number, check Number series and OCR, and retry.",
        ),
        Explanation(
            "OCR-numret används redan av en annan faktura i Fortnox.",
            "Se efter i Fortnox vilken faktura som har OCR-numret, kontrollera Nummerserier och OCR och försök igen.",
        ),
    ),
    "ocr-invalid": Situation(
        e.ValueRefused,
        "accountant",
        Explanation(
            "Fortnox does not accept the payment reference (OCR): its check digit is wrong.",
            "Correct the payment id in Moment, or Fortnox's OCR settings (Number series and OCR); then retry.",
        ),
        Explanation(
            "Fortnox godtar inte OCR-numret: kontrollsiffran är fel.",
            "Rätta betalnings-id i Moment eller inställningen Nummerserier och OCR i Fortnox och försök igen.",
        ),
    ),
    # Periods
    "period-locked": Situation(
        e.PeriodLocked,
        "accountant",
        Explanation(
            "The bookkeeping period of the invoice date is locked in Fortnox.",
            "Open the period in Fortnox (Settings, Bookkeeping, Locked period), then retry.",
        ),
        Explanation(
            "Bokföringsperioden för fakturadatumet är låst i Fortnox.",
            "Lås upp perioden i Fortnox (Inställningar, Bokföring, Låst period) och försök igen.",
        ),
    ),
    "financial-year-missing": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "There is no financial year in Fortnox for the invoice date.",
            "Create the financial year in Fortnox, then retry.",
        ),
        Explanation(
            "Det finns inget räkenskapsår (bokföringsår) i Fortnox för fakturadatumet.",
            "Lägg upp räkenskapsåret i Fortnox och försök igen.",
        ),
    ),
    # Accounts, VAT, currency
    "account-unknown": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "An account on the invoice does not exist in Fortnox's chart of accounts for that year.",
            "Add the account in Fortnox and retry, or change it in Moment; the numbers must be equal in both.",
        ),
        Explanation(
            "Ett konto på fakturan finns inte i kontoplanen i Fortnox för det året.",
            "Lägg upp kontot i Fortnox och försök igen, eller ändra det i Moment; numren måste vara lika i båda.",
        ),
    ),
    "account-inactive": Situation(
        e.ConfigurationNeeded,
        "accountant",
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
        "accountant",
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
        "accountant",
        Explanation(
            "A VAT rate on the invoice is not among the company's VAT rates in Fortnox.",
            "Add the rate in Fortnox, or correct it on the invoice in Moment; then retry.",
        ),
        Explanation(
            "En momssats på fakturan finns inte bland företagets momssatser i Fortnox.",
            "Lägg till momssatsen i Fortnox eller rätta den på fakturan i Moment och försök igen.",
        ),
    ),
    "vat-account": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "The VAT rate of an invoice row does not fit the VAT code of its account in Fortnox.",
            "Compare the account's VAT code in Fortnox with the one in Moment; they must be equal. Then retry.",
        ),
        Explanation(
            "Momssatsen på en fakturarad stämmer inte med kontots momskod i Fortnox.",
            "Jämför kontots momskod i Fortnox med den i Moment; de måste vara lika. Försök sedan igen.",
        ),
    ),
    "vat-number": Situation(
        e.ValueRefused,
        "project",
        Explanation("Fortnox does not accept the VAT number.", "Correct it in Moment, then save the customer again."),
        Explanation("Fortnox godtar inte VAT-numret.", "Rätta det i Moment och spara kunden igen."),
    ),
    "currency-unknown": Situation(
        e.ConfigurationNeeded,
        "accountant",
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
        "accountant",
        Explanation(
            "An account on the invoice demands a project, and the invoice has none.",
            "Change the account's project setting in Fortnox and retry, or bill on a project in Moment.",
        ),
        Explanation(
            "Ett konto på fakturan kräver projekt, och fakturan saknar projekt.",
            "Ändra kontots projektinställning i Fortnox och försök igen, eller fakturera på ett projekt i Moment.",
        ),
    ),
    "project-forbidden": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "An account on the invoice does not allow a project, and the invoice has one.",
            "Change the account's project setting in Fortnox and retry, or use another account in Moment.",
        ),
        Explanation(
            "Ett konto på fakturan tillåter inte projekt, och fakturan har ett projekt.",
            "Ändra kontots projektinställning i Fortnox och försök igen, eller använd ett annat konto i Moment.",
        ),
    ),
    "cost-centre": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "A cost centre is missing, unknown or inactive in Fortnox.",
            "Activate it, or remove the account's demand for one, in Fortnox; then retry.",
        ),
        Explanation(
            "Ett kostnadsställe saknas, är okänt eller är inaktivt i Fortnox.",
            "Aktivera det, eller ta bort kontots krav på kostnadsställe, i Fortnox och försök igen.",
        ),
    ),
    "register-missing": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "An article, unit, price list or term of the customer or invoice is missing in Fortnox.",
            "Open the customer in Fortnox, choose ones that exist, and retry.",
        ),
        Explanation(
            "En artikel, enhet, prislista eller ett villkor för kunden eller fakturan saknas i Fortnox.",
            "Öppna kunden i Fortnox, välj sådana som finns och försök igen.",
        ),
    ),
    # Posting
    "voucher-series": Situation(
        e.ConfigurationNeeded,
        "accountant",
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
        "accountant",
        Explanation(
            "Fortnox's warehouse module demands that an invoice is completed (klarmarkerad) before it is posted.",
            "Complete the invoice in Fortnox (Klarmarkera), or switch the warehouse module off; then retry.",
        ),
        Explanation(
            "Lagermodulen i Fortnox kräver att fakturan klarmarkeras innan den bokförs.",
            "Klarmarkera fakturan i Fortnox eller stäng av lagermodulen och försök igen.",
        ),
    ),
    "warehouse-fault": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "Fortnox's warehouse module could not take the invoice: it is being set up, or has a fault.",
            "See in Fortnox's warehouse module (Lager) what it is about, then retry.",
        ),
        Explanation(
            "Lagermodulen i Fortnox kunde inte ta emot fakturan: den håller på att startas, eller har ett fel.",
            "Se i Lager i Fortnox vad det gäller och försök igen.",
        ),
    ),
    "cash-method": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "The company keeps its books by the cash method, so Fortnox does not post invoices when they are sent.",
            "Leave the invoice as it is (Fortnox posts its payment) and skip it here, or change the method.",
        ),
        Explanation(
            "Företaget bokför enligt kontantmetoden, så Fortnox bokför inte fakturor när de skickas.",
            "Låt fakturan vara (Fortnox bokför betalningen) och hoppa över den här, eller byt bokföringsmetod.",
        ),
    ),
    "document-locked": Situation(
        e.Rejected,
        "accountant",
        Explanation(
            "The document can no longer be changed in Fortnox: it is posted, paid, completed or cancelled.",
            "Look at it in Fortnox; what differs must be corrected there, or credited in Moment.",
        ),
        Explanation(
            "Dokumentet kan inte längre ändras i Fortnox: bokfört, betalt, klarmarkerat eller makulerat.",
            "Se på det i Fortnox; skillnaden rättas där eller krediteras i Moment.",
        ),
    ),
    "posting-refused": Situation(
        e.ConfigurationNeeded,
        "accountant",
        Explanation(
            "Fortnox could not post the invoice.",
            "Set right in Fortnox what its message names, then retry.",
        ),
        Explanation(
            "Fortnox kunde inte bokföra fakturan.",
            "Rätta i Fortnox det som meddelandet anger och försök igen.",
        ),
    ),
    # Values
    "characters": Situation(
        e.ValueRefused,
        "project",
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
        "project",
        Explanation(
            "Fortnox does not accept a value: its length or its form is not allowed.",
            "Correct the field that Fortnox's message names in Moment, and save again.",
        ),
        Explanation(
            "Fortnox godtar inte ett värde: längden eller formen är inte tillåten.",
            "Rätta fältet som Fortnox meddelande anger i Moment och spara igen.",
        ),
    ),
    "country": Situation(
        e.ValueRefused,
        "project",
        Explanation("Fortnox does not know the country code.", "Correct the customer's country in Moment."),
        Explanation("Fortnox känner inte till landskoden.", "Rätta kundens land i Moment."),
    ),
    "rows": Situation(
        e.ValueRefused,
        "project",
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
        "project",
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
        "accountant",
        Explanation(
            "Fortnox does not take the file: it is too large, of the wrong type, or there are too many.",
            "Add the file to the invoice in Fortnox by hand, or make it smaller and retry.",
        ),
        Explanation(
            "Fortnox tar inte emot filen: den är för stor, av fel typ eller så är de för många.",
            "Lägg till filen på fakturan i Fortnox för hand, eller gör den mindre och försök igen.",
        ),
    ),
    # Access: only what needs the closed part waits
    "project-module-off": Situation(
        e.MissingLicence,
        "administrator",
        Explanation(
            "The project module is not switched on in Fortnox, or closed to the user who connected.",
            "Switch on projects in Fortnox (a licence with projects may be needed); what waits then goes by itself.",
        ),
        Explanation(
            "Projektmodulen är inte påslagen i Fortnox, eller stängd för den som kopplade.",
            "Slå på projekt i Fortnox (en licens med projekt kan behövas); det som väntar går sedan av sig självt.",
        ),
    ),
    "scope": Situation(
        e.MissingScope,
        "administrator",
        Explanation(
            "The connection does not give access to this part of Fortnox.",
            "Give the user who connected the permission in Fortnox, or connect again and approve all that is asked.",
        ),
        Explanation(
            "Kopplingen ger inte behörighet till den här delen av Fortnox.",
            "Ge användaren som kopplade behörighet i Fortnox, eller koppla igen och godkänn allt som efterfrågas.",
        ),
    ),
    "licence": Situation(
        e.MissingLicence,
        "administrator",
        Explanation(
            "The company has no licence in Fortnox for this part.",
            "Activate the licence in Fortnox; what waits for it then goes by itself.",
        ),
        Explanation(
            "Företaget saknar licens i Fortnox för den här delen.",
            "Aktivera licensen i Fortnox; det som väntar på den går sedan av sig självt.",
        ),
    ),
    "api-licence": Situation(
        e.MissingLicence,
        "administrator",
        Explanation(
            "The company has no licence for integrations in Fortnox, so nothing can be transferred.",
            "Activate the integration licence in Fortnox; all that waits for it then goes by itself.",
        ),
        Explanation(
            "Företaget saknar licens för integrationer i Fortnox, så inget kan överföras.",
            "Aktivera integrationslicensen i Fortnox; allt som väntar på den går sedan av sig självt.",
        ),
    ),
    # The connection
    "service-account": Situation(
        e.ConfigurationNeeded,
        "administrator",
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
        "administrator",
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
        "administrator",
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
        "nobody",
        Explanation("Fortnox refuses the login.", "Nothing: it is tried again by itself. If it lasts, connect again."),
        Explanation("Fortnox nekar inloggningen.", "Inget: det prövas igen av sig självt. Om det består, koppla igen."),
    ),
    "client": Situation(
        e.ClientRefused,
        "operator",
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
        "operator",
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
        "nobody",
        Explanation("Fortnox has an internal fault.", "Nothing: it is tried again by itself."),
        Explanation("Fortnox har ett internt fel.", "Inget: det prövas igen av sig självt."),
    ),
}
