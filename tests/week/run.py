"""One simulated week: people by the sandbox's clock, the product by real processes, a comparison every six hours."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from local import wait_until
from local.waiting import DeadlineExceeded
from messages import Message, Money
from messages.catalogue import say
from tests.week import judge
from tests.week.judge import STOCKHOLM, Deleted, Known
from tests.week.payments import INVOICES, Payers
from tests.week.payments import wrong as wrong_payments
from tests.week.people import AT_FIRST, Company
from tests.week.rule import Choices, Fields, as_compared
from tests.week.site import INVOICED, MOODS, PATIENCE, Site, started

CHECKPOINT: Final = timedelta(hours=6)
NIGHT_IS_OVER: Final = (5, 6)  # o'clock, in Stockholm, in winter and summer time
AUTUMN: Final = datetime(2026, 10, 25, 0, 0, tzinfo=STOCKHOLM)  # at three it is two again
DAMAGES: Final = (
    "Fortnox is down", "Fortnox is down for a day", "Moment is down", "Moment's answers are lost", "Moment refuses",
    "the worker is killed", "beat is stopped", "",
)  # fmt: skip
COMPANIES: Final = {
    "allting": Choices(),
    "utvalda": Choices(accounts=("4010", "5000-5999"), from_date="2026-10-10", billable=False),
    "attest": Choices(requires="approved", cost_accounts=("4000-4999", "6540")),
    "bokat": Choices(requires="posted", accounts=("4000-6999",), currency="SEK"),
}

UNKNOWN_OF_FORTNOX: Final[dict[str, dict[str, bool]]] = {
    "attest": {"lastmodified_inclusive": False},
    "bokat": {"supplier_invoices_by_change": True, "attest_changes_lastmodified": True},
}


@dataclass(frozen=True)
class Plan:
    """From when, how many times six hours, who takes part, and in what order things go wrong (None: at random)."""

    start: datetime
    periods: int
    companies: Sequence[str] = tuple(COMPANIES)
    damages: Sequence[str] | None = None


WEEK: Final = Plan(datetime(2026, 10, 22, 6, 0, tzinfo=STOCKHOLM), 28)
SHORT: Final = Plan(
    datetime(2026, 10, 24, 18, 0, tzinfo=STOCKHOLM),
    3,
    ("allting", "attest"),
    ("Moment is down", "Fortnox is down for a day", "the worker is killed"),
)


@dataclass
class Report:
    seed: int
    checkpoints: int = 0
    actions: int = 0
    supplier_invoices: int = 0
    expenses: int = 0
    payments: int = 0  # how often somebody registered or changed one
    heard: int = 0  # events of the feed
    created: int = 0
    corrected: int = 0
    withdrawn: int = 0
    invoiced: int = 0
    damages: int = 0
    kills: int = 0
    lost_answers: int = 0
    posted_again: int = 0  # 409 to a POST
    requests_fortnox: int = 0
    requests_moment: int = 0
    idle_polls: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = asdict(self)
        wrong, history = figures.pop("broken"), figures.pop("history")
        lines = [f"{name.replace('_', ' '):<18}{value:>10}" for name, value in figures.items()]
        if not wrong:
            return "\n".join([*lines, "nothing is broken"])
        return "\n".join([*history, "", *lines, f"broken with seed {self.seed}:", *wrong])


class Broken(Exception):
    """Moment's expenses are not the rule applied to the ledger; says which."""


def run(seed: int, directory: Path, plan: Plan = WEEK, say: Callable[[str], object] = lambda line: None) -> Report:
    report = Report(seed)
    began = time.monotonic()
    with started(directory) as stack:
        week = Week(Site.started(stack), random.Random(seed), report, plan, say)
        try:
            week.runs()
        except (Broken, DeadlineExceeded) as broken:
            report.broken += str(broken).splitlines()
        week.sums_up()
    report.seconds = round(time.monotonic() - began, 1)
    return report


class Week:
    def __init__(
        self, site: Site, chance: random.Random, report: Report, plan: Plan, say: Callable[[str], object]
    ) -> None:
        self.site, self.random, self.report, self.plan, self.say = site, chance, report, plan, say
        sandbox = site.stack.sandbox
        self.companies = [Company(name, random.Random(chance.random()), sandbox) for name in plan.companies]
        self.known = {name: Known(choices) for name, choices in COMPANIES.items() if name in plan.companies}
        self.late = [(company, list(company.late_projects())) for company in self.companies]
        self.payers = {name: Payers(name, random.Random(chance.random()), sandbox) for name in plan.companies}
        self.paying: set[str] = set()  # companies that have invoices
        self.counts: Counter[str] = Counter()

    def runs(self) -> None:
        start, periods = self.plan.start, self.plan.periods
        self._past(start)
        at = start.timestamp()
        damages = self._damages(periods)
        for number in range(periods):
            until = datetime.fromtimestamp(at + (number + 1) * CHECKPOINT.total_seconds(), STOCKHOLM)
            self._period(until, damages[number], number)
            self._checkpoint(until, by_hand=number == periods // 2)
        self._idle()

    def _damages(self, periods: int) -> list[str]:
        if self.plan.damages is not None:
            return list(self.plan.damages)
        damages = [one for _ in range(-(-periods // len(DAMAGES))) for one in self.random.sample(DAMAGES, len(DAMAGES))]
        return damages[:periods]

    def _past(self, start: datetime) -> None:
        """What the ledger holds when the companies begin: some of it older than the reconciliation reaches."""
        for company in self.companies:
            company.sandbox.tenant(company.name, **UNKNOWN_OF_FORTNOX.get(company.name, {}))
        for days in (50, 9):
            self.site.set_clock(start - timedelta(days=days))
            for company in self.companies:
                if not company.bills:
                    for number in AT_FIRST:
                        self._notes(company, company.adds_project(number))
                for _ in range(5):
                    self._acts(company)
        self.site.set_clock(start)
        for company in self.companies:
            known = self.known[company.name]
            known.saw(*self._both(company))
            known.looks.append(("", 0))  # the first activation looks at all
            self.site.connect(company.name, known.choices)
            self.site.bills(company.name, *INVOICES)
            self.paying.add(company.name)
        self._settles()

    # A period

    def _period(self, until: datetime, damage: str, number: int) -> None:
        mood = self.random.choice(sorted(MOODS))
        self._notes(None, f"the feed {mood}")
        self.site.feed_behaves(mood)
        for company in self.companies:
            self._in_moment(company)
        invoicing = [(c, one) for c in self.companies for one in self._some_expenses(c, 2)] if number % 2 else []
        steps = list(self._steps(until))
        strikes, mends = sorted(self.random.sample(range(len(steps)), 2)) if damage else (-1, -1)
        late = self.random.randrange(len(steps))
        today = steps[0].date()
        for company, left in self.late:
            self._notes(company, company.enters_plainly(today, approved=False))
            if left:
                self._notes(company, company.enters_plainly(today, project=left[0][0]))
        self.site.polls_pass(*(company.name for company in self.companies))
        if number % 9 == 4:
            self._chooses(self.random.choice(self.companies), number)
        for index, moment in enumerate(steps):
            self.site.set_clock(moment)
            if index == strikes:
                self._notes(None, damage)
                self.site.strike(damage, self.random.randrange(2**32))
                self.report.damages += 1
            for company in self.companies:
                for _ in range(self.random.choice((0, 1, 1, 2))):
                    self._acts(company)
                if _is_repeated(moment):
                    self._notes(company, company.enters_plainly(moment.date()))
            if invoicing and self.random.random() < 0.4:
                self._invoices(*invoicing.pop())
            if index == late:
                self._late_projects(every=number < 2)
                for company in self.companies:
                    self._notes(company, company.approves_the_last_that_waits())
            if index == mends:
                self._notes(None, f"not any more: {damage}")
                self.site.mend()
            if not strikes <= index < mends and (_is_repeated(moment) or self.random.random() < 0.25):
                company = self.random.choice(self.companies)
                self.site.polls_pass(company.name)
                self._notes(company, company.enters_plainly(moment.date()))  # in the minute of the poll
        self.site.mend()

    def _steps(self, until: datetime) -> Iterator[datetime]:
        """The times at which people act: closer together in the night in which an hour comes twice."""
        at, end = self.site.now().timestamp(), until.timestamp()
        while True:
            night = AUTUMN.timestamp() + 5400 <= at < AUTUMN.timestamp() + 4 * 3600
            at += self.random.randrange(600, 1100) if night else self.random.randrange(1200, 4800)
            if at >= end:
                return
            yield datetime.fromtimestamp(at, STOCKHOLM)

    def _acts(self, company: Company) -> None:
        self._notes(company, company.act(self.site.now().astimezone(STOCKHOLM).date()))
        self.report.actions += 1
        payers = self.payers[company.name]
        if company.name in self.paying and self.random.random() < 0.3:
            self._notes(company, payers.act(self.site.now().astimezone(STOCKHOLM).date().isoformat()))
            self.report.payments += 1

    def _late_projects(self, *, every: bool) -> None:
        for company, left in self.late:
            if left and (every or self.random.random() < 0.5):
                number, in_moment, start = left.pop(0)
                self._notes(company, company.adds_project(number, in_moment=in_moment, start=start))
                self.known[company.name].saw(*self._both(company))

    def _chooses(self, company: Company, number: int) -> None:
        known = self.known[company.name]
        accounts = self.random.choice((("4010",), ("4000-5999",), ("6540", "4020")))
        known.choices = replace(known.choices, accounts=accounts)
        known.saw(*self._both(company))
        self._notes(company, f"chooses the accounts {', '.join(accounts)}")
        self.site.chooses(company.name, f"chosen-{number}", known.choices)

    # People in Moment

    def _some_expenses(self, company: Company, most: int) -> list[str]:
        known = self.known[company.name]
        free = [e["externalId"] for e in self.site.moment(company.name)["expenses"]]
        free = [one for one in free if one not in known.invoiced and one not in known.deleted]
        return self.random.sample(sorted(free), min(most, len(free) // 4))

    def _in_moment(self, company: Company) -> None:
        """A person deletes an expense, or says whether one is billable. All is quiet while they do it."""
        known, moment = self.known[company.name], self.site.moment(company.name)
        for external_id in self._some_expenses(company, 1):
            found = next(one for one in moment["expenses"] if one["externalId"] == external_id)
            if self.random.random() < 0.5:
                invoice = next(
                    one for one in self.site.ledger(company.name)["supplierInvoices"]
                    if one["GivenNumber"] == external_id.split(":")[1]
                )  # fmt: skip
                known.deleted[external_id] = Deleted(as_compared(found), invoice["modified"], len(known.views))
                known.billable.pop(external_id, None)
                self._notes(company, f"deletes {external_id} in Moment")
                assert self.site.in_moments_api("DELETE", company.name, external_id) == 204
            else:
                body = {**{name: value for name, value in found.items() if name not in ("writes", "invoiced")}}
                body |= {"billable": not found["billable"], "amountExcludingVat": str(found["amountExcludingVat"])}
                known.billable[external_id] = (body["billable"], moment["deletedExpenses"].count(external_id))
                self._notes(company, f"says of {external_id} in Moment billable: {body['billable']}")
                assert self.site.in_moments_api("PUT", company.name, external_id, body) == 200

    def _invoices(self, company: Company, external_id: str) -> None:
        mark = {"company": company.name, "externalId": external_id, "invoiced": True}
        if external_id not in company.sandbox.expenses(company.name):
            return
        try:
            company.sandbox.in_moment("POST", "expenses", mark)
        except RuntimeError:
            return  # withdrawn just now
        found = company.sandbox.expenses(company.name)[external_id]
        self.known[company.name].invoiced[external_id] = as_compared(found)
        self._notes(company, f"invoices {external_id} to the customer: {found['amountExcludingVat']}")
        self.report.invoiced += 1

    # Checkpoints

    def _checkpoint(self, at: datetime, *, by_hand: bool) -> None:
        self.site.set_clock(at)
        self._settles()
        if at.hour in NIGHT_IS_OVER:
            self.site.reconcile(*(company.name for company in self.companies))
            for company in self.companies:
                self.known[company.name].looked_again(self.site.now(), judge.NIGHTLY_DAYS)
            self._notes(None, "the nightly reconciliation")
            self._settles()
        if by_hand:
            for company in self.companies:
                self.site.import_by_hand(company.name, 90)
                self.known[company.name].looked_again(self.site.now(), 90)
            self._notes(None, "an import of 90 days by hand")
            self._settles()
        self._counts()
        self.report.checkpoints += 1
        self._notes(None, "as it should be")

    def _settles(self) -> None:
        """Waits until Moment is as it should be; then lets one more poll pass, after which it still has to be."""
        left: dict[str, list[str]] = {}

        def as_it_should_be() -> bool:
            left.clear()
            for company in self.companies:
                self.site.hurry(company.name)
                if found := self._wrong(company):
                    left[company.name] = found
            return not left

        try:
            wait_until(as_it_should_be, what="the expenses", timeout=PATIENCE, interval=0.2)
            self.site.polls_pass(*(company.name for company in self.companies), times=2)
            wait_until(as_it_should_be, what="the expenses again", timeout=PATIENCE / 4, interval=0.2)
        except DeadlineExceeded:
            if left:
                raise Broken("\n".join(f"{name}: {one}" for name, found in left.items() for one in found)) from None
            raise

    def _wrong(self, company: Company) -> list[str]:
        ledger, moment = self._both(company)
        known = self.known[company.name]
        return [*judge.wrong(known, ledger, moment), *self._untold(company, ledger), *wrong_payments(ledger, moment)]

    def _untold(self, company: Company, ledger: dict[str, Any]) -> Iterator[str]:
        """What an invoiced expense would be by now has to be in a failed event: it is listed, and mailed."""
        told = self.site.told(company.name)
        for external_id, now in judge.differing(self.known[company.name], ledger).items():
            was = _described(self.known[company.name].invoiced[external_id])
            will_be = list(map(_described, now))
            said = told.get(external_id.split(":")[1], ())
            differences = [one.params for one in said if one.key == INVOICED]
            if not any(one["invoiced"] == was and one["now"] in will_be for one in differences):
                expected = " or ".join(map(say, will_be))
                yield f"nobody is told that {external_id}, invoiced, is now {expected}: {list(map(say, said))}"

    def _idle(self) -> None:
        """Polls with nothing to do cost one request, and one more where something waits for its approval only."""
        self.site.set_clock(self.site.now() + timedelta(minutes=10))
        names = [company.name for company in self.companies]
        self.site.polls_pass(*names, times=2)
        self._counts()
        self.site.polls_pass(*names, times=3)
        for company in self.companies:
            asked = Counter(
                "approval" if "authorizepending" in one["query"] else one["kind"]
                for one in company.sandbox.get("requests", tenant=company.name)["requests"]
                if one["path"].startswith("/3/") and one["status"] == 200
            )
            polls = asked.pop("GET /3/supplierinvoices", 0)
            self.report.idle_polls += polls
            lists = asked.pop("GET /3/invoicepayments", 0), asked.pop("GET /3/invoices", 0)  # a poll of payments
            if abs(lists[0] - lists[1]) > 1:
                raise Broken(f"{company.name}: idle polls of payments asked {lists}")
            if asked.pop("approval", 0) > polls + 1 or asked:
                raise Broken(f"{company.name}: {polls} idle polls also asked {dict(asked)}")
            to_moment = company.sandbox.in_moment("GET", f"requests?company={company.name}")["requests"]
            if to_moment:
                raise Broken(f"{company.name}: idle polls asked Moment {to_moment[:3]}")

    # Figures

    def _counts(self) -> None:
        """Reads both request logs, and empties them."""
        sandbox = self.site.stack.sandbox
        fortnox = sandbox.get("requests", limit="5000")["requests"]
        moment = sandbox.in_moment("GET", "requests")["requests"]
        sandbox.delete("requests")
        sandbox.in_moment("DELETE", "requests")
        self.counts["fortnox"] += len(fortnox)
        self.counts["moment"] += len(moment)
        for one in moment:
            kind = f"{one['method']} {one['status']}" if "projectExpenses" in one["path"] else "other"
            self.counts[kind] += 1
            self.counts["lost"] += "after" in (one["fault"] or "")
        if self.counts["POST 409"] > self.counts["lost"] + 2 * self.site.kills:
            raise Broken(f"{self.counts['POST 409']} expenses were sent twice; {self.counts['lost']} answers were lost")

    def sums_up(self) -> None:
        report, counts = self.report, self.counts
        report.requests_fortnox, report.requests_moment = counts["fortnox"], counts["moment"]
        report.created, report.corrected, report.withdrawn = counts["POST 201"], counts["PUT 200"], counts["DELETE 204"]
        report.posted_again, report.lost_answers, report.kills = counts["POST 409"], counts["lost"], self.site.kills
        heard = self.site.app.services.telemetry.counters.read()
        report.heard = sum(count for field, count in heard.items() if field[0] == "feed_events")
        report.supplier_invoices = sum(len(company.bills) for company in self.companies)
        report.expenses = sum(len(self.site.moment(company.name)["expenses"]) for company in self.companies)

    def _both(self, company: Company) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.site.ledger(company.name), self.site.moment(company.name)

    def _notes(self, company: Company | None, what: str) -> None:
        line = f"{self.site.now().astimezone(STOCKHOLM):%a %d %b %H:%M %Z} {company.name if company else '-'}: {what}"
        self.report.history.append(line)
        if company is None:
            self.say(line)


def _is_repeated(moment: datetime) -> bool:
    return AUTUMN.timestamp() + 7200 <= moment.timestamp() < AUTUMN.timestamp() + 4 * 3600


def _described(expense: Fields | None) -> Message:
    if expense is None:
        return Message("expense.none")
    amount = Money(expense["amountExcludingVat"], expense["currencyCode"])
    return Message(
        "expense.described", amount=amount, account=expense["accountNumber"], project=expense["projectNumber"]
    )
