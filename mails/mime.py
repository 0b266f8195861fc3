"""A content as an e-mail: its parts and headers. Pure: the time is an argument."""

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
from mails.words import plain

LONGEST_SUBJECT = 150
LONGEST_LINE = 75  # of a header; RFC 2047, section 2: an encoded word has at most as many


class Mail(EmailPolicy):
    """Python's policy for SMTP, but for subjects: where it breaks their line, a space may be there twice, and an
    encoded word may be longer than the 75 characters that RFC 2047 allows.
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


POLICY = Mail(linesep=SMTP.linesep)


def as_sent(text: str) -> EmailMessage:
    """A mail that was made here, from its text."""
    return cast(EmailMessage, Parser(EmailMessage, policy=POLICY).parsestr(text))


def message(
    content: MailContent, *, sender: str, to: Sequence[str], company: str, thread: str, n: int, now: datetime
) -> EmailMessage:
    """`thread` names what the mail belongs to, `n` its place there: the same two make the same Message-ID, by which
    a receiver knows a repeated mail again.
    """
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2] or "localhost"
    root = hashlib.sha256(thread.encode()).hexdigest()[:24]
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(name or "Moment – Fortnox", addr_spec=address)
    mail["To"] = ", ".join(to)
    mail["Subject"] = plain(content.subject)[:LONGEST_SUBJECT]
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{root}.{n}@{domain}>"
    # Nobody gets the mail that these name: it holds the thread together, whichever of its mails comes first.
    mail["In-Reply-To"] = mail["References"] = f"<{root}@{domain}>"
    mail["List-Id"] = f"<{company.strip('_')}.moment-fortnox.{domain}>"  # RFC 2919: to sort by
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail["X-Auto-Response-Suppress"] = "All"  # the same in Exchange
    mail.set_content(as_text(content), cte="quoted-printable")
    mail.add_alternative(as_html(content), subtype="html", cte="quoted-printable")
    if content.attachment is not None:
        file = content.attachment
        mail.add_attachment(
            file.content, maintype="text", subtype="csv", filename=file.name, params={"charset": "utf-8"}
        )
    mail["Content-Language"] = content.language  # last: a part that is added takes what is about content along
    return mail
