"""The events of a run, made from its seed: customers and projects in versions, invoices and credit notes. Pure."""

import base64
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.options import Options
from tests.unit import factories

Entrance = Literal["python", "stream", "celery"]
Kind = Literal["customer", "project", "invoice"]

# Of twenty companies. The Celery entrance has only the broker's guarantee, so it gets a small share.
ENTRANCES: Sequence[Entrance] = ("python",) * 10 + ("stream",) * 7 + ("celery",) * 3
CUSTOMERS, PROJECTS = 6, 3  # of each company
INVOICES = 0.30  # of the events
CREDIT_NOTES = 0.15  # of the invoices
WITH_FILES = 0.25  # of the invoices
LONGEST_BURST = 6  # events at the same instant, as when somebody types and saves


@dataclass(frozen=True, slots=True)
class Step:
    """One event to be published, in its company's order. `version` is told by the document's text."""

    at: float  # seconds after the start
    entrance: Entrance
    company: str
    kind: Kind
    number: str
    version: int
    event: dict[str, Any]
    essential: bool = False  # others need it: its producer never gives up
    customer: str = ""  # of an invoice
    project: str = ""
    credits: str = ""
    files: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return str(self.event["id"])


def companies(options: Options) -> list[str]:
    return [f"company-{number:02}" for number in range(1, options.companies + 1)]


def entrance_of(company: str) -> Entrance:
    return ENTRANCES[int(company.rpartition("-")[2]) * 11 % len(ENTRANCES)]


def workload(options: Options) -> dict[str, list[Step]]:
    """Each company's steps in their order."""
    share = options.events // options.companies
    return {
        company: _Company(company, random.Random(f"{options.seed}/{company}"), options.seconds).steps(share)
        for company in companies(options)
    }


class _Company:
    def __init__(self, company: str, dice: random.Random, seconds: float) -> None:
        self._company = company
        self._dice = dice
        self._seconds = seconds
        self._entrance = entrance_of(company)
        # Without a counter of the producer's, the order of admission alone decides; the Celery entrance keeps no order.
        self._counted = self._entrance == "celery" or dice.random() < 0.5
        self._versions: dict[tuple[Kind, str], int] = {}
        self._originals: list[Step] = []
        self._invoices = 1000

    def steps(self, events: int) -> list[Step]:
        first: list[tuple[Kind, str]] = [("customer", str(101 + n)) for n in range(CUSTOMERS)]
        first += [("project", str(1 + n)) for n in range(PROJECTS)]
        steps = [self._snapshot(0.0, kind, number) for kind, number in first]
        for at in self._times(events - len(first)):
            if self._dice.random() < INVOICES:
                steps.append(self._invoice(at))
            else:
                steps.append(self._snapshot(at, *self._dice.choice(first)))
        return steps

    def _times(self, events: int) -> Iterator[float]:
        bursts: list[int] = []
        while sum(bursts) < events:
            bursts.append(min(self._dice.randint(1, LONGEST_BURST), events - sum(bursts)))
        for burst, at in zip(bursts, sorted(self._dice.uniform(0.5, self._seconds) for _ in bursts), strict=True):
            yield from [at] * burst

    def _snapshot(self, at: float, kind: Kind, number: str) -> Step:
        version = self._versions[kind, number] = self._versions.get((kind, number), 0) + 1
        envelope = {
            "event_id": f"{kind}-{number}-v{version}",
            "company": self._company,
            "sequence": version if self._counted else None,
        }
        if kind == "customer":
            event = factories.customer_json(**envelope, customer_number=number, name=told("Kund", number, version))
        else:
            event = factories.project_json(
                **envelope, type="project.updated", project_number=number, name=told("Projekt", number, version)
            )
        # What invoices need has to be there, whatever the Celery entrance does to the order.
        entrance: Entrance = "python" if version == 1 and self._entrance == "celery" else self._entrance
        return Step(at, entrance, self._company, kind, number, version, event, essential=version == 1)

    def _invoice(self, at: float) -> Step:
        self._invoices += 1
        number = self._invoices
        original = self._to_credit()
        if original is not None:
            customer, project = original.customer, original.project
        else:
            customer = str(101 + self._dice.randrange(CUSTOMERS))
            project = str(1 + self._dice.randrange(PROJECTS)) if self._dice.random() < 0.7 else ""
        sign = "-" if original else ""
        names = [f"faktura-{number}-{n}.pdf" for n in range(self._dice.randint(1, 2))]
        files = tuple(names) if original is None and self._dice.random() < WITH_FILES else ()
        event = factories.invoice_json(
            event_id=f"invoice-{number}",
            company=self._company,
            id=106_900_000 + number,
            invoice_number=number,
            credited_invoice_number=int(original.number) if original else None,
            customer={"id": 62_000_000 + int(customer), "customer_number": customer},
            project={"id": 63_000_000 + int(project), "project_number": project} if project else None,
            payment_id=None,
            total_including_vat=f"{sign}1250.00",
            lines=[factories.a_line(quantity=f"{sign}1", unit_price="1000.00", amount_excluding_vat=f"{sign}1000.00")],
            attachments=[_file(self._company, name) for name in files],
        )
        if not project:
            event["invoice"]["project"] = None
        step = Step(
            at,
            self._entrance,
            self._company,
            "invoice",
            str(number),
            1,
            event,
            customer=customer,
            project=project,
            credits=original.number if original else "",
            files=files,
        )
        if original is None:
            self._originals.append(step)
        return step

    def _to_credit(self) -> Step | None:
        """An invoice that no credit note has credited; none where the entrance keeps no order."""
        if self._entrance == "celery" or not self._originals or self._dice.random() >= CREDIT_NOTES:
            return None
        return self._originals.pop(self._dice.randrange(len(self._originals)))


def told(word: str, number: str, version: int) -> str:
    """A name that tells the version."""
    return f"{word} {number} version {version}"


def version_told(name: str) -> int:
    return int(name.rpartition(" ")[2])


def _file(company: str, name: str) -> dict[str, Any]:
    content = f"%PDF-1.4\n% {company} {name}\n%%EOF\n".encode()
    return {
        "fileName": name,
        "contentType": "application/pdf",
        "content": base64.b64encode(content).decode(),
    }
