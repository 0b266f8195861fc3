"""What the mails say, in English; `mails.words_sv` says it in Swedish. Pure.

Templates are `str.format`'s. One that depends on a number is a pair, for one and for several.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

SWEDEN = ZoneInfo("Europe/Stockholm")  # the clock on the accountant's wall

Pair = tuple[str, str]


@dataclass(frozen=True)
class Words:
    language: str = "en"
    decimal_point: str = "."
    thousands: str = ","
    time_form: str = "%Y-%m-%d at %H:%M"

    kinds: dict[str, Pair] = field(
        default_factory=lambda: {
            "customer": ("customer", "customers"),
            "project": ("project", "projects"),
            "invoice": ("invoice", "invoices"),
            "creditNote": ("credit note", "credit notes"),
            "supplierInvoice": ("supplier invoice", "supplier invoices"),
            "expenses": ("the import of expenses", "imports of expenses"),
            "integration": ("the connection", "changes of the connection"),
            "event": ("event", "events"),
        }
    )
    to_customer: str = "{thing} to {customer}"
    customer_number: str = "customer {number}"
    units: tuple[Pair, Pair, Pair] = (("minute", "minutes"), ("hour", "hours"), ("day", "days"))

    # Tags: the state in a word
    tag_failed: str = "Needs you"
    tag_held: str = "Waiting"
    tag_remark: str = "For information"
    tag_paused: str = "Needs you"
    tag_outage: str = "Waiting"
    tag_well: str = "Works again"

    # Subjects and titles
    failed: str = "{what} could not be transferred"
    held: Pair = ("{what} is waiting", "{what} are waiting")
    remark: Pair = ("{what} went through, with a remark", "{what} went through, with remarks")
    unreadable: Pair = ("An event from Moment could not be read", "{n} events from Moment could not be read")
    failed_title: str = "{what} could not be transferred to Fortnox"
    failed_back_title: str = "{what} could not be transferred to Moment"
    connection_failed: str = "the connection could not be set up"
    connection_remark: str = "a remark on the connection"

    # Facts
    what: str = "What"
    amount: str = "Amount"
    since: str = "Since"
    when: str = "When"
    company: str = "Company"
    event: str = "Event"
    count: str = "How many"
    before: str = "Before"
    told_before: str = "{n} for the same reason since {since}; {total} in all"
    waiting: str = "Waiting"
    waiting_events: Pair = ("{n} event", "{n} events")

    # Sections
    why: str = "Why"
    fortnox_says: str = "Fortnox's own message: “{said}” (code {code})"
    fortnox_says_only: str = "Fortnox's own message: “{said}”"
    code_only: str = "Code: {code}"
    remarks: str = "What to know"
    which: str = "Which"
    and_more: str = "… and {n} more"
    list_attached: str = "All of them are in the attached list, {name}."
    list_cut: str = "The first {n} of them are in the attached list, {name}; the other {left} are too many for a mail."
    list_left_out: str = "The list of them is too large for the mail server."
    list_elsewhere: str = (
        "The operator sees them all with `moment-fortnox events export --company {company} --status {status}`."
    )
    what_to_do: str = "What to do"
    by_itself: str = "What happens by itself"
    kept: str = "Nothing is lost: it is kept whole. Other customers, projects and invoices go on as usual."
    behind: Pair = (
        "This waits for it, and goes on by itself afterwards:",
        "These {n} wait for it, and go on by themselves afterwards:",
    )
    behind_all: Pair = (
        "{n} event waits for them, and goes on by itself afterwards:",
        "{n} events wait for them, and go on by themselves afterwards:",
    )
    goes_on_after: str = "It is tried again by itself as soon as {blocker} has been transferred."
    part_closed: str = (
        "Only what needs this part of Fortnox waits, in order; everything else goes on. It is tried every ten minutes."
    )
    go_on_after: str = "Each is tried again by itself as soon as what it waits for has been transferred."
    nothing_to_do_for_remark: str = "It is in Fortnox; nothing stands still because of this."
    goes_on_with_remark: str = "Transfers go on; what is named above may be refused until it is set right."
    more_hourly: str = "If more fail for the same reason, they come in one mail an hour, not one each."
    retry: str = "Try again"
    retry_snapshot: str = "When the cause is mended, save it in Moment again: that is enough. Or the operator runs"
    retry_other: str = "When the cause is mended in Moment or Fortnox, this is enough; the operator runs"
    resend: str = "The operator sees the event with"

    # The connection and outages
    paused_subject: str = "The connection to Fortnox needs you"
    paused_again: str = "The connection to Fortnox still needs you, after {long}"
    paused_title: str = "Nothing can be transferred to Fortnox at the moment"
    reconnect: str = "Connect to Fortnox again"
    reconnect_how: str = "Connect the company again in Moment, or let the operator run"
    reconnect_link: str = (
        "Someone who is a system administrator in Fortnox opens this and approves. "
        "Moment, or the operator with `moment-fortnox companies connect`, takes the code that comes back."
    )
    paused_kept: str = (
        "Nothing is lost. Everything that came meanwhile is kept, and goes through by itself, in order, "
        "once the company is connected."
    )
    outage_subject: str = "Fortnox has not answered for {long}"
    outage_title: str = "Fortnox is not answering"
    outage_why: str = "Fortnox has not answered since {since}, or only with errors. It is asked again all the time."
    outage_to_do: str = "Nothing. If Fortnox works for you in the browser, tell the operator."
    outage_kept: str = (
        "Nothing is lost. Everything is kept, and goes through by itself, in order, once Fortnox answers."
    )
    told_next: str = "The next mail about this comes when it works again, or after {long}."
    told_no_more: str = "The next mail about this comes when it works again."
    well_subject: str = "The transfer to Fortnox works again"
    well_title: str = "The transfer to Fortnox works again"
    well_paused: str = "The company is connected. It had stood still since {since} ({long})."
    well_outage: str = "Fortnox answers again. It had not answered since {since} ({long})."
    well_nothing: str = "Nothing is waiting."
    well_goes: Pair = (
        "{n} event is on its way and goes through by itself.",
        "{n} events are on their way and go through by themselves, in order.",
    )
    nothing_to_do: str = "Nothing."

    # Foot
    sent_by: str = "Sent automatically by Moment to Fortnox for {company}. Answers are not read."
    refused_address: str = (
        "This mail comes to you, the operator, because the company's own address {address} was refused: {why}. "
        "Correct it in Moment or with `moment-fortnox companies connect`."
    )
    undelivered: str = "Fortnox: mails to an address of {company} are refused"
    no_address: str = "This mail comes to you, the operator, because the company has given no address for errors."

    # The attached list
    list_name: str = "fortnox-{company}-{date}.csv"
    columns: tuple[str, ...] = (
        "Kind",
        "Number",
        "Name or customer",
        "Amount",
        "Currency",
        "Status",
        "Why",
        "What to do",
        "Fortnox's message",
        "Code",
        "Waiting behind it",
        "When",
        "Event",
    )
    statuses: dict[str, str] = field(
        default_factory=lambda: {"failed": "failed", "held": "waiting", "done": "transferred"}
    )

    def money(self, amount: Decimal, currency: str) -> str:
        """12 500,00 SEK, as it is written in the language; the spaces are plain, so that it can be searched for."""
        return f"{self.number(amount)} {currency}"

    def number(self, amount: Decimal) -> str:
        plain = f"{amount:,.2f}"
        return plain.replace(",", "\0").replace(".", self.decimal_point).replace("\0", self.thousands)

    def whole(self, n: int) -> str:
        return f"{n:,}".replace(",", self.thousands)

    def time(self, when: datetime) -> str:
        return when.astimezone(SWEDEN).strftime(self.time_form)

    def long(self, duration: timedelta) -> str:
        """`4 hours`: the largest unit that it holds, rounded down; from two days on, days."""
        minutes = max(1, int(duration.total_seconds() // 60))
        hours, days = minutes // 60, minutes // (24 * 60)
        n, unit = (days, 2) if days >= 2 else (hours, 1) if hours else (minutes, 0)
        return f"{n} {self.units[unit][n != 1]}"

    def counted(self, pair: Pair, n: int, **fields: object) -> str:
        return pair[n != 1].format(n=self.whole(n), **fields)


ENGLISH = Words()


def plain(text: str) -> str:
    """On one line, without control characters: a name can write neither headers nor lines of its own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def sentence(text: str) -> str:
    """With a capital at its start."""
    return text[:1].upper() + text[1:]
