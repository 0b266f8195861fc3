"""Says from what was attempted, what was answered and what the ledgers hold whether the promises were kept. Pure.

In the manner of Jepsen's queue checker: what was acknowledged and has had no effect is lost, what happened twice is
duplicated, what nobody asked for is unexpected. What was attempted without an answer may have happened or not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.producers import Attempt
from tests.chaos.workload import Step, version_told

NUMBER_FIELD = {"customer": "CustomerNumber", "project": "ProjectNumber"}
NAME_FIELD = {"customer": "Name", "project": "Description"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What the engine says of an event."""

    status: str
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a ledger carried out. `version`: of the customer or project that it wrote."""

    company: str
    what: str  # customer, project, create, post
    number: str
    version: int = 0


@dataclass
class Findings:
    """Each entry is a sentence that names what broke the promise."""

    attempted: int = 0
    acknowledged: int = 0
    ok: int = 0
    recovered: int = 0  # attempted without an answer, and there
    not_admitted: int = 0  # sent by the Celery entrance, and lost by the broker before any worker had it
    repeated_writes: int = 0  # the same version written again, after a write of unknown outcome
    orphans: int = 0  # files uploaded again, as nothing can be asked about an upload that was not answered
    set_aside: int = 0  # after too many crashes in a row
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)


def check(
    attempts: Mapping[str, Sequence[Attempt]],
    fates: Mapping[tuple[str, str], Fate],
    writes: Sequence[Write],
    ledgers: Mapping[str, Mapping[str, Any]],
) -> Findings:
    """The findings on all. `fates` by company and event id, `writes` in their order, `ledgers` as they end."""
    findings = Findings()
    of_company: defaultdict[str, list[Write]] = defaultdict(list)
    for write in writes:
        of_company[write.company].append(write)
    for company, tried in attempts.items():
        _Company(company, tried, fates, of_company[company], ledgers[company], findings).check()
    return findings


class _Company:
    def __init__(
        self,
        company: str,
        tried: Sequence[Attempt],
        fates: Mapping[tuple[str, str], Fate],
        writes: Sequence[Write],
        ledger: Mapping[str, Any],
        findings: Findings,
    ) -> None:
        self._company = company
        self._tried = tried
        self._writes = writes
        self._ledger = ledger
        self._findings = findings
        self._fates = {one.step.id: fates.get((company, one.step.id)) for one in tried}

    def check(self) -> None:
        self._count()
        self._check_snapshots()
        self._check_invoices()
        self._check_order()
        self._findings.orphans += len(self._ledger["orphans"])

    def _acknowledged(self, attempt: Attempt) -> bool:
        """Whether it must have its effect. For what came by the Celery entrance: whether a worker has admitted it."""
        return attempt.sent and (attempt.step.entrance != "celery" or self._fates[attempt.step.id] is not None)

    def _count(self) -> None:
        found = self._findings
        for attempt in self._tried:
            fate = self._fates[attempt.step.id]
            found.attempted += 1
            found.acknowledged += self._acknowledged(attempt)
            found.not_admitted += attempt.sent and not self._acknowledged(attempt)
            found.set_aside += fate is not None and fate.code == "crash"
            if fate is not None and fate.status in {"failed", "held", "skipped"}:
                reason = f"{fate.status}: {fate.reason} {fate.code}".strip()
                found.unexpected.append(f"{self._of(attempt.step)} {reason}")

    def _check_snapshots(self) -> None:
        last = self._final_versions()
        asked = {(one.step.kind, one.step.number) for one in self._tried if one.step.kind != "invoice"}
        for kind, number in sorted(set(last) - asked):
            self._findings.unexpected.append(f"{self._company} {kind} {number}: nobody asked for it")
        written = {(write.what, write.number, write.version) for write in self._writes}
        lines: defaultdict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for attempt in self._tried:
            if attempt.step.kind != "invoice":
                lines[attempt.step.kind, attempt.step.number].append(attempt)
        for (kind, number), line in lines.items():
            final = last.get((kind, number), 0)
            for attempt in line:
                arrived = attempt.step.version <= final and self._is_through(attempt.step)
                self._tally(attempt, arrived)
                if self._acknowledged(attempt) and attempt.step.version > final:
                    overwritten = (kind, number, attempt.step.version) in written
                    sentence = f"{self._of(attempt.step)}: the ledger holds version {final}"
                    (self._findings.reordered if overwritten else self._findings.lost).append(sentence)
                elif self._acknowledged(attempt) and not arrived:
                    self._not_through(attempt.step)
            if final > max(attempt.step.version for attempt in line):
                self._findings.unexpected.append(f"{self._company} {kind} {number}: version {final} was never sent")
        for kind in ("customer", "project"):
            self._check_once(kind, "POST", f"{kind}s")

    def _check_invoices(self) -> None:
        invoices = {str(one["DocumentNumber"]): one for one in self._ledger["invoices"]}
        steps = {one.step.number: one for one in self._tried if one.step.kind == "invoice"}
        for number in sorted(set(invoices) - set(steps)):
            self._findings.unexpected.append(f"{self._company} invoice {number}: nobody asked for it")
        for number, attempt in steps.items():
            missing = _missing(attempt.step, invoices.get(number))
            arrived = not missing and self._is_through(attempt.step)
            self._tally(attempt, arrived)
            if self._acknowledged(attempt) and missing:
                self._findings.lost.append(f"{self._of(attempt.step)}: {missing}, {self._fates[attempt.step.id]}")
            elif self._acknowledged(attempt) and not arrived:
                self._not_through(attempt.step)
            self._check_files(number, invoices.get(number))
        self._check_once("invoice", "POST", "invoices")
        self._check_once("invoice", "bookkeep", "invoices")

    def _check_files(self, number: str, invoice: Mapping[str, Any] | None) -> None:
        attached = Counter(file["Name"] for file in (invoice or {}).get("attachments", ()))
        for name, times in attached.items():
            if times > 1:
                self._findings.duplicated.append(f"{self._company} invoice {number}: {name} is attached {times} times")

    def _check_once(self, kind: str, write: str, register: str) -> None:
        for document in self._ledger[register]:
            times = document["writes"].get(write, 0)
            if times > 1:
                number = document.get("DocumentNumber") or document.get(NUMBER_FIELD.get(kind, ""))
                self._findings.duplicated.append(f"{self._company} {kind} {number}: {times} times {write}")

    def _check_order(self) -> None:
        """No version after a newer one, and no invoice before what came before it."""
        floors = self._floors()
        now: dict[tuple[str, str], int] = {}
        posted: set[str] = set()
        for write in self._writes:
            if write.what in NUMBER_FIELD:
                before = now.get((write.what, write.number), 0)
                self._findings.repeated_writes += write.version == before
                if write.version < before:
                    sentence = f"version {write.version} was written after version {before}"
                    self._findings.reordered.append(f"{self._company} {write.what} {write.number}: {sentence}")
                now[write.what, write.number] = write.version
            elif write.what == "post":
                posted.add(write.number)
            elif write.what == "create":
                needed, credits = floors.get(write.number, ({}, ""))
                for (kind, number), floor in needed.items():
                    if now.get((kind, number), 0) < floor:
                        sentence = f"came at version {now.get((kind, number), 0)} of its {kind} {number}, not {floor}"
                        self._findings.reordered.append(f"{self._company} invoice {write.number}: {sentence}")
                if credits and credits not in posted:
                    self._findings.reordered.append(
                        f"{self._company} credit note {write.number}: came before invoice {credits} was posted"
                    )

    def _floors(self) -> dict[str, tuple[dict[tuple[str, str], int], str]]:
        """For each invoice: the versions that were acknowledged before it was published, and what it credits."""
        latest: dict[tuple[str, str], int] = {}
        floors = {}
        for attempt in self._tried:
            step = attempt.step
            if step.kind == "invoice":
                needs = [("customer", step.customer), *([("project", step.project)] if step.project else [])]
                floors[step.number] = ({need: latest.get(need, 0) for need in needs}, step.credits)
            elif attempt.sent and step.entrance != "celery":
                latest[step.kind, step.number] = step.version
        return floors

    def _final_versions(self) -> dict[tuple[str, str], int]:
        return {
            (kind, str(one[NUMBER_FIELD[kind]])): version_told(one[NAME_FIELD[kind]])
            for kind in NUMBER_FIELD
            for one in self._ledger[f"{kind}s"]
        }

    def _is_through(self, step: Step) -> bool:
        fate = self._fates[step.id]
        return fate is not None and fate.status in {"done", "superseded"}

    def _tally(self, attempt: Attempt, arrived: bool) -> None:
        self._findings.ok += arrived and self._acknowledged(attempt)
        self._findings.recovered += arrived and not self._acknowledged(attempt)

    def _not_through(self, step: Step) -> None:
        """Its effect is there, but the engine does not say that it is through: unless it failed, it is lost."""
        fate = self._fates[step.id]
        if fate is None or fate.status not in {"failed", "held", "skipped"}:
            self._findings.lost.append(f"{self._of(step)}: {fate or 'the engine does not know it'}")

    def _of(self, step: Step) -> str:
        return f"{step.company} {step.id} ({step.entrance})"


def to_writes(lines: Iterable[Mapping[str, Any]]) -> Iterator[Write]:
    """The recorder's lines, as far as order and number matter."""
    kinds = {"customers": ("customer", "Customer"), "projects": ("project", "Project")}
    for line in lines:
        method, _, template = line["write"].partition(" ")
        resource = template.split("/")[2]
        body = line["body"] or {}
        if resource in kinds and method in {"POST", "PUT"}:
            kind, envelope = kinds[resource]
            fields = body[envelope]
            number = line["number"] or str(fields[NUMBER_FIELD[kind]])
            yield Write(line["company"], kind, number, version_told(fields[NAME_FIELD[kind]]))
        elif template == "/3/invoices" and method == "POST":
            yield Write(line["company"], "create", str(body["Invoice"]["DocumentNumber"]))
        elif template.endswith("/bookkeep"):
            yield Write(line["company"], "post", line["number"])


def _missing(step: Step, invoice: Mapping[str, Any] | None) -> str:
    """What of the invoice is not in the ledger."""
    if invoice is None:
        return "it is not there"
    if not invoice["Booked"]:
        return "it is not posted"
    if str(invoice["CustomerNumber"]) != step.customer:
        return "it is another customer's"
    files = sorted({file["Name"] for file in invoice["attachments"]})
    return "" if files == sorted(step.files) else f"it has the files {files}"
