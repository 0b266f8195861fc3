"""VAT in Fortnox beyond the amounts: customers get type and number, and invoices that report wrongly are told.

What accounts and cards say is cached, so an invoice normally costs no further request. Before a remark is told, what it
rests on is read again: a person may have set it right.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from delivery.context import TransferContext
from fortnox.codes import explain
from fortnox.errors import NotFound, Rejected
from fortnox.models import FortnoxCustomer
from mappers.vat import VatCard, VatRemark, account_remarks, card_remark, sold_without_vat, untaxed
from messages import NOTHING, Message
from moment.events import Invoice
from stores.vat import VatStore

MOST_CARDS = 10  # read on connecting
MOST_SINGLE = 3  # accounts that are read one by one; more cost less as a list
OF_ANY_FIELD = frozenset({"", "request", "value", "characters"})
WRITTEN = "written"  # a cached answer: the name of the customer that was updated, whose VAT fields are to be set
VAT_FIELDS = ("VATNumber", "VATType")


def vat_store(context: TransferContext) -> VatStore:
    return context.services.stores.vat(context.claim.company, context.lease.ledger)


def card_of(customer: FortnoxCustomer) -> VatCard:
    return VatCard(
        customer.country_code, customer.vat_type, bool(customer.vat_number), customer.customer_type == "PRIVATE"
    )


class CustomersWithVat:
    """`Fortnox.customers`, with VAT type and number: set on create and, if no person has set them, on update.

    `wanted` is what is set, if anything. Where Fortnox refuses it, the customer is written without it, and `notice`
    says so, once for each number. Implements `delivery.upsert.SnapshotRegister`.
    """

    def __init__(self, context: TransferContext, wanted: Mapping[str, str]) -> None:
        self._customers = context.fortnox.customers
        self.kind = self._customers.kind
        self.number_field = self._customers.number_field
        self.notice = NOTHING
        self._memory = context
        self._store = vat_store(context)
        self._wanted = wanted
        self._event_id = context.claim.id

    def get(self, number: str) -> FortnoxCustomer:
        return self._customers.get(number)

    def create(self, fields: Mapping[str, Any]) -> FortnoxCustomer:
        number = str(fields[self.number_field])
        if not self._to_try(number):
            return self._seen(self._customers.create(fields))
        try:
            return self._set(self._customers.create({**fields, **self._wanted}))
        except Rejected as refused:
            if not _about_vat(refused):
                raise
            self._refused(number, refused)
            return self._seen(self._customers.create(fields))

    def update(self, number: str, fields: Mapping[str, Any]) -> FortnoxCustomer:
        name = self._memory.cached(WRITTEN)  # by an attempt a moment ago, throttled before it could set the VAT fields
        if name is None:
            found = self._customers.update(number, fields)
            if not self._open_to_us(found) or not self._to_try(number):
                return self._seen(found)
            name = found.name or number
            self._memory.remember(WRITTEN, name)
        try:
            return self._set(self._customers.update(number, {"Name": name, **self._wanted}))  # Name is required
        except Rejected as refused:
            if not _about_vat(refused):
                raise
            self._refused(number, refused)
            return self._seen(self.get(number))

    def _open_to_us(self, found: FortnoxCustomer) -> bool:
        """Whether no person has set the card's VAT fields: they are untouched, or hold an older number of ours."""
        ours = self._store.set_by_us(found.customer_number)
        is_ours = found.vat_number is not None and ours == _digest(found.vat_number)
        return card_of(found).untouched or (is_ours and found.vat_number != self._wanted.get("VATNumber"))

    def _set(self, found: FortnoxCustomer) -> FortnoxCustomer:
        self._store.remember_set(found.customer_number, _digest(self._wanted["VATNumber"]))
        return self._seen(found)

    def _seen(self, found: FortnoxCustomer) -> FortnoxCustomer:
        self._store.remember_card(found.customer_number, card_of(found))
        return found

    def _to_try(self, number: str) -> bool:
        return bool(self._wanted) and self._store.told_by(self._subject(number)) in (None, self._event_id)

    def _refused(self, number: str, refused: Rejected) -> None:
        self._store.tell(self._subject(number), self._event_id)
        why = explain(refused).reason
        self.notice = Message("vat.number-refused", value=self._wanted["VATNumber"], why=why)

    def _subject(self, number: str) -> str:
        return f"customer/{number}/vat-number/{_digest(self._wanted['VATNumber'])}"


def _digest(vat_number: str) -> str:
    return hashlib.sha256(vat_number.encode()).hexdigest()[:8]


def _about_vat(refused: Rejected) -> bool:
    words = refused.message
    return refused.situation == "vat-number" or (
        refused.situation in OF_ANY_FIELD and any(name in words for name in (*VAT_FIELDS, "VAT-nummer", "Momstyp"))
    )


def remarks(context: TransferContext, invoice: Invoice) -> Message:
    """What a person is told of the invoice's VAT, once for each account and customer.

    A look that Fortnox refuses tells nothing. Raises every other `FortnoxError`: the invoice is posted by then.
    """
    look = _Look(context, vat_store(context))
    untold = [one for one in _found(context, invoice, look) if _is_news(context, look.store, one)]
    if untold:
        look.again({one.account for one in untold if one.account is not None})
        untold = [one for one in _found(context, invoice, look) if _is_news(context, look.store, one)]
    for one in untold:
        look.store.tell(one.subject, context.claim.id)
    return Message.join(*(one.message for one in untold))


def _is_news(context: TransferContext, store: VatStore, remark: VatRemark) -> bool:
    """Whether no other event told it."""
    return store.told_by(remark.subject) in (None, context.claim.id)


def _found(context: TransferContext, invoice: Invoice, look: "_Look") -> list[VatRemark]:
    lines = [line for line in invoice.lines if line.amount_excluding_vat]
    codes = look.codes(int(line.account_number) for line in lines)
    without_vat = sold_without_vat(lines, codes, int(context.settings.rounding_account))
    of_accounts = any(untaxed(codes.get(int(line.account_number), ""), line.vat_percentage) for line in lines)
    number = invoice.customer.customer_number
    card = look.card(number) if without_vat or of_accounts else None
    found = account_remarks(lines, codes, card)
    if without_vat and card is not None and (remark := card_remark(number, card)):
        found.append(remark)
    return found


def abroad_without_reason(context: TransferContext, store: VatStore) -> dict[str, str]:
    """Customers abroad that were billed without VAT and whose cards still do not say why, with their countries.

    Costs a request for each of the first `MOST_CARDS` that a person was told of.
    """
    look = _Look(context, store)
    look.again(set())
    told = [one.split("/")[1] for one in look.store.told() if one.count("/") == 1 and one.startswith("customer/")]
    cards = {number: look.card(number) for number in told[:MOST_CARDS]}
    return {number: card.country or "" for number, card in cards.items() if card and card_remark(number, card)}


class _Look:
    """What accounts and cards say: from the cache, else from Fortnox."""

    def __init__(self, context: TransferContext, store: VatStore) -> None:
        self.store = store
        self._fortnox = context.fortnox
        self._read: set[int | str] = set()  # the accounts and customers that this look has read in Fortnox
        self._again: set[int] | None = None

    def again(self, accounts: set[int]) -> None:
        """Read these accounts and the cards again, unless this look has read them."""
        self._again = accounts

    def codes(self, accounts: Iterable[int]) -> dict[int, str]:
        known = self.store.codes(accounts := set(accounts))
        missing = (accounts - known.keys()) | (accounts & (self._again or set()) - self._read)
        if missing:
            read = self._listed(missing) if len(missing) > MOST_SINGLE else {one: self._code(one) for one in missing}
            self.store.remember_codes(read)
            self._read |= missing
            known |= {number: read[number] for number in missing}
        return known

    def _code(self, number: int) -> str:
        try:
            return self._fortnox.accounts.get(number).vat_code or ""
        except Rejected:  # it is not there, or we may not look
            return ""

    def _listed(self, missing: set[int]) -> dict[int, str]:
        nothing = dict.fromkeys(missing, "")
        try:
            return nothing | {one.number: one.vat_code or "" for one in self._fortnox.accounts.list()}
        except Rejected:
            return nothing

    def card(self, number: str) -> VatCard | None:
        known = self.store.card(number)
        if known is not None and (self._again is None or number in self._read):
            return known
        try:
            known = card_of(self._fortnox.customers.get(number))
        except NotFound:
            return None
        except Rejected:
            return known
        self._read.add(number)
        self.store.remember_card(number, known)
        return known
