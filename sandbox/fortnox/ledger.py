"""The data of one Fortnox company: registers, documents and files. No rules."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sandbox.clock import Clock
from sandbox.fortnox.happenings import Happenings
from sandbox.fortnox.money import Sums
from sandbox.fortnox.settings import Settings
from sandbox.http import Json


@dataclass(slots=True)
class Record:
    """A customer or a project: its fields, and when it changed (`YYYY-MM-DD HH:MM`, Swedish time)."""

    fields: dict[str, Json]
    modified: str
    writes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Invoice:
    number: str
    header: dict[str, Json]
    rows: list[dict[str, Json]]
    sums: Sums
    modified: str
    booked: bool = False
    cancelled: bool = False
    sent: bool = False
    warehouse_ready: bool = False
    voucher: tuple[str, int, int] | None = None  # series, number, financial year
    credit_reference: str = "0"  # of an original: its credit note
    invoice_reference: str = "0"  # of a credit note: its original
    writes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Account:
    number: int
    description: str
    active: bool = True
    vat_code: str = ""
    project_settings: str = "ALLOWED"
    cost_center_settings: str = "ALLOWED"
    project: str = ""  # of a row that names none
    cost_center: str = ""


@dataclass(slots=True)
class Currency:
    code: str
    description: str
    buy_rate: Decimal
    sell_rate: Decimal
    unit: int = 1


@dataclass(slots=True)
class FinancialYear:
    id: int
    first: date
    last: date


@dataclass(slots=True)
class StoredFile:
    """A file in the inbox or the archive. `Id` and `ArchiveFileId` are two numbers of one file."""

    id: str
    archive_id: str
    name: str
    folder: str
    content: bytes
    content_type: str
    in_archive: bool = False


@dataclass(slots=True)
class Attachment:
    id: str
    entity_id: int
    entity_type: str
    file: StoredFile
    include_on_send: bool


@dataclass(slots=True)
class SupplierInvoice:
    number: str
    fields: dict[str, Json]
    rows: list[dict[str, Json]]
    modified: str
    approved: bool = True
    booked: bool = False
    cancelled: bool = False
    voucher: tuple[str, int, int] | None = None
    files: list[StoredFile] = field(default_factory=list)


@dataclass(slots=True)
class Payment:
    """What a customer paid of an invoice, in the invoice's currency."""

    number: str
    invoice: str
    amount: Decimal
    date: str
    currency: str
    rate: Decimal
    modified: str
    booked: bool = False
    written_off: Decimal = Decimal(0)


class Ledger:
    """One tenant. `counters` counts every write, for tests that count effects."""

    def __init__(self, name: str, database_number: int, clock: Clock, happenings: Happenings) -> None:
        self.name = name
        self.database_number = database_number
        self.clock = clock
        self.happenings = happenings
        self.settings = Settings(company_name=name)
        self.customers: dict[str, Record] = {}
        self.deleted_customers: set[str] = set()
        self.projects: dict[str, Record] = {}
        self.invoices: dict[str, Invoice] = {}
        self.supplier_invoices: dict[str, SupplierInvoice] = {}
        self.payments: dict[str, Payment] = {}
        self.files: dict[str, StoredFile] = {}
        self.files_by_archive_id: dict[str, StoredFile] = {}
        self.attachments: dict[str, Attachment] = {}
        self.attachments_of: dict[int, list[Attachment]] = {}
        self.accounts = {number: Account(number, text, True, vat) for number, text, vat in CHART}
        self.currencies = {
            code: Currency(code, text, Decimal(rate), Decimal(rate), unit) for code, text, rate, unit in CURRENCIES
        }
        self.years = [
            FinancialYear(index, date(year, 1, 1), date(year, 12, 31))
            for index, year in enumerate(range(2020, 2031), 1)
        ]
        self.terms_of_payment = {"0", "10", "14", "15", "20", "30", "45", "60", "90", "K"}
        self.units = {"st", "h", "tim", "dag", "km", "m", "m2", "m3", "kg", "l", "mån"}
        self.cost_centers: set[str] = set()
        self.articles: set[str] = set()
        self.voucher_numbers: Counter[tuple[str, int]] = Counter()
        self.counters: Counter[str] = Counter()
        self._serial = 0  # the last one given
        self._payments = 0  # the last payment's number

    def __getstate__(self) -> dict[str, Json]:
        return {name: value for name, value in vars(self).items() if name not in ("clock", "happenings")}

    def tell(self, kind: str, entity: str | int) -> None:
        """Tell the feed what happened, such as `customer-updated`, and to which number."""
        self.happenings.note(self.name, self.database_number, kind, str(entity))

    def next_serial(self) -> int:
        """A number never used before in this ledger: row ids, ids of files."""
        self._serial += 1
        return self._serial

    def next_payment(self) -> int:
        self._payments += 1
        return self._payments

    def payments_of(self, invoice: str) -> Iterator[Payment]:
        return (payment for payment in self.payments.values() if payment.invoice == invoice)

    def year_of(self, day: date) -> FinancialYear | None:
        return next((year for year in self.years if year.first <= day <= year.last), None)

    def next_voucher(self, series: str, year: FinancialYear) -> tuple[str, int, int]:
        self.voucher_numbers[series, year.id] += 1
        return series, self.voucher_numbers[series, year.id], year.id

    def orphans(self) -> Iterator[StoredFile]:
        """Files uploaded and attached to nothing."""
        attached = {attachment.file.id for attachment in self.attachments.values()}
        for invoice in self.supplier_invoices.values():
            attached.update(file.id for file in invoice.files)
        return (file for file in self.files.values() if file.id not in attached)


CHART: tuple[tuple[int, str, str], ...] = (
    (1510, "Kundfordringar", ""),
    (1910, "Kassa", ""),
    (1930, "Företagskonto", ""),
    (2440, "Leverantörsskulder", ""),
    (2610, "Utgående moms, 25 %", "U1"),
    (2611, "Utgående moms på försäljning inom Sverige, 25 %", "U1"),
    (2620, "Utgående moms, 12 %", "U2"),
    (2621, "Utgående moms på försäljning inom Sverige, 12 %", "U2"),
    (2630, "Utgående moms, 6 %", "U3"),
    (2631, "Utgående moms på försäljning inom Sverige, 6 %", "U3"),
    (2640, "Ingående moms", "I"),
    (2641, "Debiterad ingående moms", "I"),
    (3000, "Försäljning", "MP1"),
    (3001, "Försäljning inom Sverige, 25 % moms", "MP1"),
    (3002, "Försäljning inom Sverige, 12 % moms", "MP2"),
    (3003, "Försäljning inom Sverige, 6 % moms", "MP3"),
    (3004, "Försäljning inom Sverige, momsfri", "MF"),
    (3010, "Försäljning tjänster, 25 % moms", "MP1"),
    (3011, "Försäljning varor, 25 % moms", "MP1"),
    (3012, "Försäljning varor, 12 % moms", "MP2"),
    (3013, "Försäljning varor, 6 % moms", "MP3"),
    (3020, "Försäljning material", "MP1"),
    (3041, "Försäljning tjänster inom Sverige, 25 % moms", "MP1"),
    (3042, "Försäljning tjänster inom Sverige, 12 % moms", "MP2"),
    (3043, "Försäljning tjänster inom Sverige, 6 % moms", "MP3"),
    (3044, "Försäljning tjänster inom Sverige, momsfri", "MF"),
    (3050, "Försäljning varor", "MP1"),
    (3105, "Försäljning varor till land utanför EU", "E"),
    (3108, "Försäljning varor till annat EU-land, momsfri", "VTEU"),
    (3305, "Försäljning tjänster till land utanför EU", "ÖTEU"),
    (3308, "Försäljning tjänster till annat EU-land", "FTEU"),
    (3500, "Fakturerade kostnader", "MP1"),
    (3520, "Fakturerade frakter", "MP1"),
    (3540, "Faktureringsavgifter", "MP1"),
    (3550, "Fakturerade resekostnader", "MP1"),
    (3590, "Övriga fakturerade kostnader", "MP1"),
    (3740, "Öres- och kronutjämning", ""),
    (3990, "Övriga ersättningar och intäkter", "MF"),
    (3999, "Övriga rörelseintäkter", "MF"),
    (4000, "Inköp varor", ""),
    (4010, "Inköp material och varor", ""),
    (4600, "Underentreprenader", ""),
    (5010, "Lokalhyra", ""),
    (5220, "Hyra av inventarier", ""),
    (5410, "Förbrukningsinventarier", ""),
    (5460, "Förbrukningsmaterial", ""),
    (5611, "Drivmedel för personbilar", ""),
    (5800, "Resekostnader", ""),
    (5999, "Övriga kostnader", ""),
    (6071, "Representation, avdragsgill", ""),
    (6110, "Kontorsmateriel", ""),
    (6212, "Mobiltelefon", ""),
    (6540, "IT-tjänster", ""),
    (6550, "Konsultarvoden", ""),
    (6570, "Bankkostnader", ""),
    (6990, "Övriga externa kostnader", ""),
)

CURRENCIES: tuple[tuple[str, str, str, int], ...] = (
    ("SEK", "Svensk krona", "1", 1),
    ("EUR", "Euro", "11.42", 1),
    ("NOK", "Norsk krona", "0.98", 1),
    ("DKK", "Dansk krona", "1.53", 1),
    ("USD", "Amerikansk dollar", "10.45", 1),
    ("GBP", "Brittiskt pund", "13.31", 1),
    ("CHF", "Schweizisk franc", "11.87", 1),
    ("JPY", "Japansk yen", "6.91", 100),
)
