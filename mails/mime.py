"""Makes an e-mail of a content: its parts and headers. Pure: the time is an argument."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import Parser
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import cast

from mails.content import MailContent
from mails.render import as_html, as_text
from messages.catalogue import one_line

LONGEST_SUBJECT = 150
LONGEST_LINE = 75  # of a header; RFC 2047, section 2: an encoded word has at most as many


class MailPolicy(EmailPolicy):
    """Python's policy for SMTP with other subjects. Where Python folds one, it may double a space, and make an encoded
    word longer than the 75 characters that RFC 2047 allows.
    """

    def fold(self, name: str, value: str) -> str:
        if name == "Subject":
            charset = "us-ascii" if value.isascii() else "utf-8"
            header = Header(str(value), charset, header_name=name, maxlinelen=LONGEST_LINE)
            return f"{name}: {header.encode(linesep=self.linesep)}{self.linesep}"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii", "surrogateescape")


POLICY = MailPolicy(linesep=SMTP.linesep)


def as_sent(text: str) -> EmailMessage:
    """The mail that `message` made, from its text."""
    return cast(EmailMessage, Parser(EmailMessage, policy=POLICY).parsestr(text))


def message(
    content: MailContent,
    *,
    sender: str,
    to: Sequence[str],
    company: str,
    thread: str,
    n: int,
    now: datetime,
    reply_to: str = "",
) -> EmailMessage:
    """`thread` and `n`, its place there, make the Message-ID, by which a receiver recognizes a repeated mail."""
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2] or "localhost"
    root = hashlib.sha256(thread.encode()).hexdigest()[:24]
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(name or "Moment – Fortnox", addr_spec=address)
    mail["To"] = ", ".join(to)
    if reply_to:
        mail["Reply-To"] = reply_to
    mail["Subject"] = one_line(content.subject, LONGEST_SUBJECT)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{root}.{n}@{domain}>"
    # No mail has this id. It holds the thread together, whichever mail arrives first.
    mail["In-Reply-To"] = mail["References"] = f"<{root}@{domain}>"
    mail["List-Id"] = f"<{company.strip('_')}.moment-fortnox.{domain}>"  # RFC 2919: to sort by
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail["X-Auto-Response-Suppress"] = "All"  # the same in Exchange
    mail.set_content(as_text(content), cte="quoted-printable")
    mail.add_alternative(as_html(content), subtype="html", cte="quoted-printable")
    if content.file is not None:
        file = content.file
        mail.add_attachment(
            file.content, maintype="text", subtype="csv", filename=file.name, params={"charset": "utf-8"}
        )
    mail["Content-Language"] = content.language  # last: adding a part moves the headers about content to it
    return mail
