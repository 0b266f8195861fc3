"""The Swedish of what the system says in English: an event keeps its reason in English, a mail may be in Swedish.

Pairs of sentences. `{name}` stands for whatever differs from one event to the next; `{path}` for a field of an event
(`invoice.dueDate`), `{value}` for a quoted value. What Fortnox's situations say is in `fortnox.codes`, in both
languages. A test finds every sentence of mappers, tasks and doors that has no Swedish here. Pure data.
"""

SENTENCES: dict[str, str] = {
    # Any mapping
    "{path} {value}: {problem}": "{path} {value}: {problem}",
    "It was left out; what Fortnox holds there stays as it was. Correct it in Moment.": (
        "Det utelämnades; det som finns i Fortnox är kvar. Rätta det i Moment."
    ),
    # Numbers
    "holds a character that Fortnox does not take in a customer number (letters, digits, - + _)": (
        "innehåller ett tecken som Fortnox inte tar emot i ett kundnummer (bokstäver, siffror, - + _)"
    ),
    "Give the customer another number in Moment.": "Ge kunden ett annat nummer i Moment.",
    "has {length} characters; Fortnox takes at most {most} in a project number": (
        "har {length} tecken; Fortnox tar emot högst {most} i ett projektnummer"
    ),
    "Give the project a shorter number in Moment.": "Ge projektet ett kortare nummer i Moment.",
    "holds a character that Fortnox does not take in a project number": (
        "innehåller ett tecken som Fortnox inte tar emot i ett projektnummer"
    ),
    "Give the project a number of letters, digits and - in Moment.": (
        "Ge projektet ett nummer av bokstäver, siffror och - i Moment."
    ),
    # Customers
    "The name {value} holds no character that Fortnox takes; the customer number stands in for it. "
    "Give the customer a name in Moment.": (
        "Namnet {value} har inget tecken som Fortnox tar emot; kundnumret används i stället. "
        "Ge kunden ett namn i Moment."
    ),
    "{value} is not a valid Swedish organisation number (ten digits, the last a check digit).": (
        "{value} är inget giltigt svenskt organisationsnummer (tio siffror, den sista en kontrollsiffra)."
    ),
    "{value} looks like a Swedish organisation number, but its check digit is wrong (a foreign one needs a country).": (
        "{value} ser ut som ett svenskt organisationsnummer, men kontrollsiffran är fel "
        "(ett utländskt behöver ett land)."
    ),
    "{value} is longer than the {most} characters that Fortnox takes as organisation number.": (
        "{value} är längre än de {most} tecken som Fortnox tar emot som organisationsnummer."
    ),
    "{value} is longer than the 10 characters that Fortnox takes as zip code; {short} was sent. "
    "Correct it in Moment.": (
        "{value} är längre än de 10 tecken som Fortnox tar emot som postnummer; {short} skickades. Rätta det i Moment."
    ),
    "{value} is not a country code of ISO 3166.": "{value} är ingen landskod enligt ISO 3166.",
    "{code} may be meant.": "{code} kan vara det som menas.",
    "{value} is not one e-mail address that Fortnox can hold.": (
        "{value} är ingen e-postadress som Fortnox kan ta emot."
    ),
    # Projects
    "The name {value} holds no character that Fortnox takes; the project number stands in for it. "
    "Give the project a name in Moment.": (
        "Namnet {value} har inget tecken som Fortnox tar emot; projektnumret används i stället. "
        "Ge projektet ett namn i Moment."
    ),
    "the project ends before {source}, {start}": "projektet slutar före {source}, {start}",
    "its start date": "sitt startdatum",
    "the day it was created, which is its start date": "dagen då det skapades, som är dess startdatum",
    "Give the project a start date that is not after its end date in Moment.": (
        "Ge projektet ett startdatum i Moment som inte ligger efter slutdatumet."
    ),
    # Invoices
    "{billed} {currency} was billed, but the lines come to {computed} {other} including VAT: {apart} apart, "
    "which rounding does not explain. The lines by account, excluding VAT: {sums}": (
        "{billed} {currency} fakturerades, men raderna blir {computed} {other} inklusive moms: det skiljer {apart}, "
        "mer än öresavrundning. Raderna per konto, exklusive moms: {sums}"
    ),
    "Nothing was sent to Fortnox. Check the amounts and VAT rates of the lines in Moment; "
    "if they are wrong, credit the invoice there and bill it anew.": (
        "Inget skickades till Fortnox. Kontrollera radernas belopp och momssatser i Moment; "
        "är de fel, kreditera fakturan där och fakturera på nytt."
    ),
    "a credit note of invoice {number} cannot have a positive total: it would bill the customer again": (
        "en kreditfaktura för faktura {number} kan inte ha ett positivt belopp: kunden skulle faktureras igen"
    ),
    "Send the credit note with negative amounts, or without a credited invoice number if it is none.": (
        "Skicka kreditfakturan med negativa belopp, eller utan krediterat fakturanummer om den inte är någon."
    ),
    "a credit note cannot credit itself": "en kreditfaktura kan inte kreditera sig själv",
    "Send the number of the invoice that is credited.": "Skicka numret på fakturan som krediteras.",
    "neither the event nor the currency register in Fortnox has a rate for this currency": (
        "varken händelsen eller valutaregistret i Fortnox har någon kurs för valutan"
    ),
    "Add {currency} with its rate to the currencies in Fortnox, then retry the event.": (
        "Lägg upp {currency} med kurs bland valutorna i Fortnox och försök igen."
    ),
    "make {rows} rows in Fortnox after grouping by account, VAT rate and project, which takes at most {most}": (
        "blir {rows} rader i Fortnox efter gruppering på konto, momssats och projekt; Fortnox tar emot högst {most}"
    ),
    "Credit the invoice in Moment and bill it as several invoices.": (
        "Kreditera fakturan i Moment och fakturera på nytt som flera fakturor."
    ),
    "The payment id {value} is not an OCR number (2 to 25 digits, the last a check digit); Fortnox gave the "
    "invoice its own. A payment with Moment's number has to be matched by hand.": (
        "Betalnings-id {value} är inget OCR-nummer (2 till 25 siffror, den sista en kontrollsiffra); Fortnox gav "
        "fakturan ett eget. En betalning med Moments nummer måste prickas av för hand."
    ),
    "The due date {due} is before the invoice date {date}; both were sent as they are.": (
        "Förfallodatum {due} ligger före fakturadatum {date}; båda skickades som de är."
    ),
    "A file was not transferred: {file}: {why}": "En fil överfördes inte: {file}: {why}",
    "{host} is not Moment and not listed in ATTACHMENT_HOSTS": (
        "{host} är inte Moment och finns inte i ATTACHMENT_HOSTS"
    ),
    "its host answered {status}": "dess värd svarade {status}",
    "its address cannot be used": "adressen går inte att använda",
    "Moment refuses the integration's key ({status}): tell the operator": (
        "Moment godtar inte integrationens nyckel ({status}): meddela driften"
    ),
    "is empty": "är tom",
    "its content is not base64": "innehållet är inte base64",
    "is larger than {size} MB": "är större än {size} MB",
    "took longer than {seconds} seconds": "tog mer än {seconds} sekunder",
    "the event gives neither url nor content": "händelsen anger varken url eller content",
    "An attachment could not be fetched: {why}.": "En bilaga kunde inte hämtas: {why}.",
    "Number {number} is taken in Fortnox by another invoice, of customer {customer}.": (
        "Nummer {number} används redan i Fortnox av en annan faktura, för kund {customer}."
    ),
    "Give the invoice in Fortnox another number, or credit this one in Moment and bill it anew.": (
        "Ge fakturan i Fortnox ett annat nummer, eller kreditera den här i Moment och fakturera på nytt."
    ),
    "Fortnox made invoice {number} {booked} {currency}, but {billed} was billed. It is not posted.": (
        "Fortnox fick faktura {number} till {booked} {currency}, men {billed} fakturerades. Den är inte bokförd."
    ),
    "Check the VAT settings of its accounts in Fortnox, remove the unposted invoice there, and retry.": (
        "Kontrollera kontonas momsinställningar i Fortnox, ta bort den obokförda fakturan där och försök igen."
    ),
    # An invoice that is in Fortnox already
    "Fortnox gave Moment's invoice {number} the number {other}. It was not posted.": (
        "Fortnox gav Moments faktura {number} numret {other}. Den bokfördes inte."
    ),
    "Cancel (makulera) invoice {other} in Fortnox, see to it there that invoices may have Moment's numbers, "
    "and retry the event: the invoice is then created anew.": (
        "Makulera faktura {other} i Fortnox, se till att fakturor får ha Moments nummer där, "
        "och kör om händelsen: fakturan skapas då på nytt."
    ),
    "Fortnox answered that it posted invoice {number}, and shows it as not posted.": (
        "Fortnox svarade att faktura {number} bokfördes, men visar den som inte bokförd."
    ),
    "Post the invoice in Fortnox by hand, or retry the event.": (
        "Bokför fakturan i Fortnox för hand, eller kör om händelsen."
    ),
    "Invoice {number} {state} and is not what Moment billed:": (
        "Faktura {number} {state} och är inte det som Moment fakturerade:"
    ),
    "is in Fortnox, not posted,": "finns i Fortnox, inte bokförd,",
    "is posted in Fortnox": "är bokförd i Fortnox",
    "{what}: {there} in Fortnox, {billed} in Moment": "{what}: {there} i Fortnox, {billed} i Moment",
    "Row {n}": "Rad {n}",
    "Total": "Summa",
    "Currency rate": "Valutakurs",
    "{amount} on account {account} with {rate} % VAT": "{amount} på konto {account} med {rate} % moms",
    "and {n} more rows": "och {n} rader till",
    "See why Fortnox reckons otherwise (VAT of the accounts, fees, rounding). Correct the invoice in Fortnox, "
    "where it can be changed until it is posted, then retry the event: it is posted when the figures agree.": (
        "Se efter varför Fortnox räknar annorlunda (kontonas moms, avgifter, avrundning). Rätta fakturan i Fortnox, "
        "där den kan ändras tills den bokförs, och försök igen: den bokförs när beloppen stämmer."
    ),
    "Invoice {number} has been cancelled (makulerad) in Fortnox, where its number cannot be used again.": (
        "Faktura {number} har makulerats i Fortnox, där numret inte kan användas igen."
    ),
    "If it was right to cancel it, credit it in Moment and skip this event. If not, bill it anew in Moment.": (
        "Var det rätt att makulera den: kreditera den i Moment och hoppa över händelsen. "
        "Annars: fakturera på nytt i Moment."
    ),
    "The invoice is posted; a file is not there yet. {why}": "Fakturan är bokförd; en fil finns inte än. {why}",
    "The invoice is posted, but without these files:": "Fakturan är bokförd, men utan de här filerna:",
    "Attach them in Fortnox by hand. Or, when they can be fetched again, run "
    "`moment-fortnox events retry {company} {id}`: "
    "only what is missing is added.": (
        "Bifoga dem i Fortnox för hand. Eller kör, när de kan hämtas igen, "
        "`moment-fortnox events retry {company} {id}`: bara det som saknas läggs till."
    ),
    "The invoice is posted. As many other files are attached to it, so these were not transferred:": (
        "Fakturan är bokförd. Lika många andra filer är bifogade, så de här överfördes inte:"
    ),
    "If one of them is missing there, attach it by hand.": "Saknas någon av dem där, bifoga den för hand.",
    "Fortnox no longer has what was uploaded": "Fortnox har inte längre kvar det som laddades upp",
    "Fortnox does not answer when it is uploaded": "Fortnox svarar inte när den laddas upp",
    "Fortnox does not answer when it is attached": "Fortnox svarar inte när den bifogas",
    "the other files took all the time that there was": "de andra filerna tog all tid som fanns",
    "is not a PDF, though the event says so": "är ingen PDF, fast händelsen säger det",
    "its host did not answer ({why})": "dess värd svarade inte ({why})",
    "its host sent a page ({type}) in place of it": "dess värd skickade en webbsida ({type}) i stället",
    # A number that is another's
    "{kind} number {number} is {other} in Fortnox and {ours} in Moment. Nothing was changed in Fortnox.": (
        "{kind} nummer {number} är {other} i Fortnox och {ours} i Moment. Inget ändrades i Fortnox."
    ),
    "Customer": "Kund",
    "Project": "Projekt",
    "Give one of the two another number. If they are the same {kind}, have Moment's taken over: "
    "moment-fortnox events retry {company} {id} --accept-existing": (
        "Ge den ena ett annat nummer. Är de samma {kind}, låt Moments gälla: "
        "moment-fortnox events retry {company} {id} --accept-existing"
    ),
    "customer": "kund",
    "project": "projekt",
    # The connection
    "Enable the integration in Moment again and approve it in Fortnox: that gives a new code. Then retry the event.": (
        "Slå på integrationen i Moment igen och godkänn den i Fortnox: det ger en ny kod. Försök sedan igen."
    ),
    "Enable the integration in Moment again and approve it in Fortnox: that gives a new code.": (
        "Slå på integrationen i Moment igen och godkänn den i Fortnox: det ger en ny kod."
    ),
    "Then retry the event.": "Försök sedan igen.",
    "The authorization code was used already, on {when} UTC: it works once.": (
        "Auktoriseringskoden användes redan {when} UTC: den gäller en gång."
    ),
    "The connection that was made with it stands.": "Kopplingen som gjordes med den gäller.",
    "The connection that was made before goes on as it was.": "Kopplingen som redan fanns gäller som förut.",
    "The company is disconnected. A service account's consent stays until it is removed in Fortnox.": (
        "Företaget är bortkopplat. Ett servicekontos godkännande finns kvar tills det tas bort i Fortnox."
    ),
    "The company is disconnected, but Fortnox did not confirm that its consent has ended.": (
        "Företaget är bortkopplat, men Fortnox bekräftade inte att godkännandet har upphört."
    ),
    "Remove the integration in Fortnox, under Connected services, where it is still listed.": (
        "Ta bort integrationen i Fortnox, under Anslutna tjänster, om den fortfarande står där."
    ),
    "The consent lacks {scope}: it is needed to {use}.": "Godkännandet saknar {scope}, som behövs: {use}.",
    "Connect again and approve everything that Fortnox lists.": "Koppla igen och godkänn allt som Fortnox räknar upp.",
    "Projects cannot be read: {why}": "Projekt kan inte läsas: {why}",
    "The consent is not a service account's, so its tokens are renewed with a refresh token.": (
        "Godkännandet är inte ett servicekontos, så kopplingen förnyas i företagets namn."
    ),
    "It works. To change it, a system administrator connects again and approves a service account.": (
        "Det fungerar. För att ändra det kopplar en systemadministratör igen och godkänner ett servicekonto."
    ),
    "Fortnox has no financial year for today's date: invoices dated today cannot be posted.": (
        "Fortnox har inget räkenskapsår för dagens datum: fakturor med dagens datum kan inte bokföras."
    ),
    "Create the financial year in Fortnox.": "Lägg upp räkenskapsåret i Fortnox.",
    "The accounting method in Fortnox is the cash method, with which invoices cannot be posted.": (
        "Bokföringsmetoden i Fortnox är kontantmetoden, och med den kan fakturor inte bokföras."
    ),
    "Change it to the invoicing method (ACCRUAL) in Fortnox's settings of the financial year.": (
        "Byt till faktureringsmetoden i räkenskapsårets inställningar i Fortnox."
    ),
    "Expense accounts that Fortnox does not have, or not as active: {accounts}.": (
        "Utläggskonton som inte finns, eller inte är aktiva, i Fortnox: {accounts}."
    ),
    "Open them in Fortnox's chart of accounts, or choose others.": (
        "Lägg upp dem i kontoplanen i Fortnox, eller välj andra."
    ),
    "Accounts of recent invoices that Fortnox does not have: {accounts}.": (
        "Konton på nya fakturor som inte finns i Fortnox: {accounts}."
    ),
    "Open them in Fortnox's chart of accounts: invoices on them are refused.": (
        "Lägg upp dem i kontoplanen i Fortnox: fakturor på dem nekas."
    ),
    "Accounts of recent invoices that are not active in Fortnox: {accounts}.": (
        "Konton på nya fakturor som inte är aktiva i Fortnox: {accounts}."
    ),
    "Activate them in Fortnox's chart of accounts: invoices on them are refused.": (
        "Aktivera dem i kontoplanen i Fortnox: fakturor på dem nekas."
    ),
    "VAT rates of recent invoices that are not Swedish ones: {rates}.": (
        "Momssatser på nya fakturor som inte är svenska: {rates}."
    ),
    "Fortnox takes a rate only if it is set up there: compare the VAT settings of both.": (
        "Fortnox tar bara emot en sats som är upplagd där: jämför momsinställningarna i båda."
    ),
    "Accounts of recent invoices whose VAT code in Fortnox says another rate: {accounts}.": (
        "Konton på nya fakturor vars momskod i Fortnox anger en annan sats: {accounts}."
    ),
    "Make account and VAT code the same in Moment and in Fortnox.": "Gör konto och momskod lika i Moment och Fortnox.",
    "There is no address for failures to be mailed to: the operator gets them.": (
        "Det finns ingen adress att mejla fel till: driften får dem."
    ),
    "Set the error e-mail in Moment's integration settings.": "Ange e-postadress för fel i Moments inställningar.",
    # Expenses
    "Row {row} ({expense}): {reason}": "Rad {row} ({expense}): {reason}",
    "{amount} on account {account}, project {project}": "{amount} på konto {account}, projekt {project}",
    "Account {account} is not among the chosen accounts ({chosen}).": (
        "Konto {account} finns inte bland de valda kontona ({chosen})."
    ),
    "Account {account} is not among the chosen accounts, as none are chosen.": (
        "Konto {account} är inte valt: inga konton är valda."
    ),
    "It is dated {date}, before {start}, from which expenses are brought back.": (
        "Den är daterad {date}, före {start}, då utlägg började hämtas."
    ),
    "Neither the row nor the supplier invoice has a project.": (
        "Varken raden eller leverantörsfakturan har något projekt."
    ),
    "Project {number} does not exist in Moment.": "Projekt {number} finns inte i Moment.",
    "Project {number} has no start date in Fortnox.": "Projekt {number} saknar startdatum i Fortnox.",
    "The row has no account.": "Raden har inget konto.",
    "The row is VAT.": "Raden är moms.",
    "The row is what is owed to the supplier.": "Raden är skulden till leverantören.",
    "The row's amount is 0.": "Radens belopp är 0.",
    "The supplier invoice has no date.": "Leverantörsfakturan har inget datum.",
    "The supplier invoice is cancelled.": "Leverantörsfakturan är makulerad.",
    "The supplier invoice is not posted.": "Leverantörsfakturan är inte bokförd.",
    "The supplier invoice waits for approval.": "Leverantörsfakturan väntar på attest.",
    "The company is connected to another Fortnox ledger.": "Företaget är kopplat till en annan Fortnox-bokföring.",
    "The company's transfers go first.": "Företagets överföringar går före.",
    "no expense any more": "inget utlägg längre",
    "Row {row}: the expense is already invoiced to the customer in Moment, so it stays as it is there ({there}). "
    "In Fortnox it is now: {expense}.": (
        "Rad {row}: utlägget är redan fakturerat till kunden i Moment, så det står kvar där ({there}). "
        "I Fortnox är det nu: {expense}."
    ),
    "Settle the difference with the customer if need be, then skip this event.": (
        "Reglera skillnaden med kunden om det behövs och hoppa sedan över händelsen."
    ),
    "Mend the cause in Moment or in the supplier invoice; it is tried again when that changes, every six hours, "
    "and when you retry this event.": (
        "Rätta orsaken i Moment eller på leverantörsfakturan; nya försök görs när den ändras, var sjätte timme "
        "och när händelsen körs igen."
    ),
    "integration.authorizationCode: is missing.": "integration.authorizationCode: saknas.",
    "Enable the integration in Moment again and approve it in Fortnox.": (
        "Slå på integrationen i Moment igen och godkänn den i Fortnox."
    ),
    "{company} is not connected to Fortnox. Enable the integration in Moment, or run "
    "`moment-fortnox companies connect {again}`.": (
        "{company} är inte kopplat till Fortnox. Slå på integrationen i Moment, eller kör "
        "`moment-fortnox companies connect {again}`."
    ),
    "Connect the company, then retry the event.": "Koppla företaget och försök sedan igen.",
    "a stored secret cannot be opened: the key that sealed it is not among ENCRYPTION_KEYS. "
    "Add the old key after the new one, or connect the company again.": (
        "en lagrad hemlighet kan inte öppnas: nyckeln som förseglade den finns inte i ENCRYPTION_KEYS. "
        "Lägg till den gamla nyckeln efter den nya, eller koppla företaget igen."
    ),
    # TargetUnavailable of ours, and what outlasts a day
    "{reason} It was tried {n} times over about a day.": "{reason} {n} försök har gjorts under ungefär ett dygn.",
    "Retry the event when Fortnox works again.": "Försök igen när Fortnox fungerar.",
    "Tell the operator: this needs a look at the integration itself. The event is kept whole.": (
        "Meddela driften: felet ligger i integrationen själv. Händelsen finns kvar hel."
    ),
    "An unexpected error in the integration ({name}).": "Ett oväntat fel i integrationen ({name}).",
    "The process that transferred it died {n} times in a row.": (
        "Processen som överförde den avbröts {n} gånger i rad."
    ),
    "This is a fault in the integration, not in your data.": "Felet ligger i integrationen, inte i era uppgifter.",
    "It was refused when it came, and can be read now.": "Den nekades när den kom och går att läsa nu.",
    "Send it again with a new id.": "Skicka den på nytt med ett nytt id.",
    "Fortnox refused it and says: {message} ({code})": "Fortnox nekade och säger: {message} ({code})",
    "Fortnox refused it and says: {message}": "Fortnox nekade och säger: {message}",
    "Set right what Fortnox names, then retry.": "Rätta det som Fortnox anger och försök igen.",
    # Expenses that are tried again
    "Tell the operator: the integration needs a new API key of Moment's. Then it goes on by itself.": (
        "Meddela driften: integrationen behöver en ny API-nyckel till Moment. Sedan fortsätter det av sig självt."
    ),
    "Nothing: it goes on by itself when Moment works again.": (
        "Ingenting: det fortsätter av sig självt när Moment fungerar igen."
    ),
    "Nothing: it goes on by itself when Fortnox works again.": (
        "Ingenting: det fortsätter av sig självt när Fortnox fungerar igen."
    ),
    "{reason} It was tried for about a day.": "{reason} Försök har gjorts under ungefär ett dygn.",
    "It is tried again every six hours, and when you retry it.": (
        "Det prövas igen var sjätte timme, och när du försöker igen."
    ),
    # Events that do not read
    "Not a valid event: {problems}": "Ingen giltig händelse: {problems}",
    "Mend the event where it is made and send it again with a new id.": (
        "Rätta händelsen där den skapas och skicka den på nytt med ett nytt id."
    ),
    "{path}: {message} (given: {given})": "{path}: {message} (angivet: {given})",
    "{path}: {message}": "{path}: {message}",
    "event: {message}": "händelsen: {message}",
    "is missing": "saknas",
    "not JSON: {why}": "inte JSON: {why}",
    "nested too deeply": "för djupt nästlad",
    "must be a JSON object (given: {given})": "måste vara ett JSON-objekt (angivet: {given})",
    "must be a JSON object": "måste vara ett JSON-objekt",
    "unknown event type; one of {types}": "okänd händelsetyp; en av {types}",
    "must be true or false": "måste vara true eller false",
    "must be a date that exists, such as 2026-11-20": "måste vara ett datum som finns, till exempel 2026-11-20",
    "must be a date such as 2026-11-20, without a time": (
        "måste vara ett datum, till exempel 2026-11-20, utan klockslag"
    ),
    "must be a time with its zone, such as 2026-11-22T09:00:00Z": (
        "måste vara en tidpunkt med tidszon, till exempel 2026-11-22T09:00:00Z"
    ),
    "must have at most {n} digits": "får ha högst {n} siffror",
    "must have at most {n} decimals": "får ha högst {n} decimaler",
    "must have at most {n} digits before the point": "får ha högst {n} siffror före punkten",
    "must be an object": "måste vara ett objekt",
    "must be a finite number": "måste vara ett ändligt tal",
    "must be greater than {n}": "måste vara större än {n}",
    "must be at least {n}": "måste vara minst {n}",
    "must be less than {n}": "måste vara mindre än {n}",
    "must be at most {n}": "får vara högst {n}",
    "must be one of {values}": "måste vara en av {values}",
    "must have at most {n} characters": "får ha högst {n} tecken",
    "must not be empty": "får inte vara tom",
    "must not be blank": "får inte vara tom",
    "must be text, in quotation marks": "måste vara text, inom citattecken",
    "holds half a character (a lone surrogate)": "innehåller ett halvt tecken (ett ensamt surrogat)",
    "must have at most {n} elements": "får ha högst {n} element",
    "must have at least {n} element": "måste ha minst {n} element",
    "must be a list": "måste vara en lista",
    "must be 1 to 50 characters without a slash or a space": (
        "måste vara 1 till 50 tecken utan snedstreck och mellanslag"
    ),
    "must be 1 to 200 characters without a space": "måste vara 1 till 200 tecken utan mellanslag",
    "must be a company code: letters, digits, - and _, at most 63": (
        "måste vara en företagskod: bokstäver, siffror, - och _, högst 63"
    ),
    "must be an account number of four digits, 1000 to 9999": (
        "måste vara ett kontonummer med fyra siffror, 1000 till 9999"
    ),
    "must be an account such as 4010 or a range such as 5000-5999": (
        "måste vara ett konto som 4010 eller ett intervall som 5000-5999"
    ),
    "must be a currency code of three capital letters, such as SEK": (
        "måste vara en valutakod med tre versaler, till exempel SEK"
    ),
    "must be a country code of two letters (ISO 3166), such as SE": (
        "måste vara en landskod med två bokstäver (ISO 3166), till exempel SE"
    ),
    "must be a decimal number such as 12500.00: digits and a point, no spaces": (
        "måste vara ett decimaltal som 12500.00: siffror och punkt, inga mellanslag"
    ),
    "must be a decimal number such as 12500.00": "måste vara ett decimaltal som 12500.00",
    "must be a whole number such as 1001": "måste vara ett heltal som 1001",
    "must have a url or a content (the file itself, base64)": (
        "måste ha en url eller ett content (filen själv, i base64)"
    ),
    "an object": "ett objekt",
    "a list": "en lista",
    "an empty list": "en tom lista",
}
