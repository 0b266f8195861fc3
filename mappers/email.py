"""E-mail addresses that both Fortnox and a mail server accept. Pure."""

import re

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&*+\-/=?^_`]+(?:\.[A-Za-z0-9!#$%&*+\-/=?^_`]+)*")  # RFC 5322, less ' { | } ~
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST = 254  # RFC 5321: 256 with the angle brackets


def mail_address(text: str) -> str | None:
    """Return the address; None for anything else (two addresses, a name beside it, a host without a domain).

    A domain with letters beyond ASCII (`räksmörgås.se`) is written in its ASCII form (`xn--…`), which every program
    accepts.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    labels = domain.split(".")
    well_formed = (
        at
        and len(local) <= 64
        and _LOCAL.fullmatch(local)
        and len(labels) >= 2
        and all(map(_LABEL.fullmatch, labels))
        and not labels[-1].isdigit()
        and len(labels[-1]) >= 2
    )
    address = f"{local}@{domain}"
    return address if well_formed and len(address) <= _LONGEST else None
