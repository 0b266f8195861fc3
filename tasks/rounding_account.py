"""The account that we add to an invoice ourselves, for its rounding: what is told where Fortnox refuses it."""

import re

from delivery.context import TransferContext
from fortnox.codes import label
from fortnox.errors import NotFound, Rejected
from fortnox.payloads import InvoicePayload
from mappers.rows import ROUNDING
from messages import Message
from moment.events import Invoice
from ordering import Failed

OF_AN_ACCOUNT = frozenset({"account-unknown", "account-inactive"})
ACCOUNT = re.compile(r"\b[1-9]\d{3}\b")


def refusal(context: TransferContext, invoice: Invoice, payload: InvoicePayload, refused: Rejected) -> Failed | None:
    """The failure where Fortnox refused the invoice because of the rounding account; None for any other cause.

    If Fortnox does not say which account it means, the account is looked up.
    """
    account = rounding_account(invoice, payload)
    if account is None or refused.situation not in OF_AN_ACCOUNT:
        return None
    named = ACCOUNT.findall(refused.message.replace(str(invoice.invoice_number), ""))
    if str(account) not in named if named else _is_open(context, account):
        return None
    reason = Message("invoice.rounding-account", account=str(account))
    return Failed(reason, remedy(context.claim.company), label(refused), said=refused.message)


def rounding_account(invoice: Invoice, payload: InvoicePayload) -> int | None:
    """The account of the rounding row, if there is one and no line of Moment's is on that account. Pure."""
    last = payload.invoice_rows[-1]
    lines = {int(line.account_number) for line in invoice.lines}
    return last.account_number if last.description == ROUNDING and last.account_number not in lines else None


def remedy(company: str) -> Message:
    """What to do about the rounding account: it names the setting."""
    return Message("invoice.rounding-account.remedy", company=company)


def _is_open(context: TransferContext, account: int) -> bool:
    try:
        return context.fortnox.accounts.get(account).active
    except NotFound:
        return False
    except Rejected:  # we may not look
        return True
