"""The companies, both systems and the product's processes of a simulated week, and what can befall them."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import requests

from delivery.polling import POLL_ID, poll_asked
from local import wait_until
from local.processes import ManagedProcess
from local.sandbox import MOMENT_KEY
from local.stack import Stack
from local.waiting import DeadlineExceeded
from messages import Message
from tasks.flows import SCHEDULE_NIGHT
from tests.unit.factories import customer_json, integration_json, invoice_json
from tests.week.rule import Choices
from worker.bootstrap import App, create_app
from worker.publish import publish

SOON: Final = 3.0  # seconds: some polls
PATIENCE: Final = 120.0  # seconds: of a machine that is busy with other things
OPTIONS: Final = {
    "EXPENSE_POLL_INTERVAL": "1",  # of real time; the time between polls is the sandbox's clock's
    "LEASE_SECONDS": "2",
    "BEAT_LOCK_SECONDS": "3",
    "FORTNOX_RATE_LIMIT": "999/1",
}
AS_IF_FOR_A_DAY: Final = "return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HSET', KEYS[1], 'attempts', 100000)"
DOWN: Final = {"503": 0.5, "drop_before": 0.5}
MOMENT_DOWN: Final = {"503": 0.4, "drop_before": 0.3, "drop_after": 0.3}
LOST_ANSWERS: Final = {"drop_after": 0.3, "fail_after": 0.2}
INVOICED: Final = "expense.already-invoiced"  # the key of the message that tells of such a difference
# What the feed does in a period, by turns. Polls are the truth, so Moment is right whatever it does.
MOODS: Final[dict[str, dict[str, Any]]] = {
    "works": {},
    "loses every second event": {"feed_lose_every": 2},
    "tells everything twice": {"feed_double_every": 1},
    "is late": {"feed_delay_seconds": 0.2},
    "is dead": {"feed_enabled": False},
    "is silent": {},
    "breaks off": {"feed_close_code": 1012},
}
USUAL: Final = {"feed_lose_every": 0, "feed_double_every": 0, "feed_delay_seconds": 0, "feed_enabled": True}
REFUSAL: Final = {"kind": "fail_next", "status": 400, "body": "attachment", "message": "No", "count": 2}


@dataclass
class Site:
    """Everything that runs. What breaks it is mended by `mend`."""

    stack: Stack
    app: App
    beat: ManagedProcess
    worker: ManagedProcess
    kills: int = 0
    met: int = 0

    @classmethod
    def started(cls, stack: Stack) -> "Site":
        stack.start_services()
        stack.sandbox.post("options", {"rate_limit_enabled": False})
        beat = stack.start_beat()
        return cls(stack, create_app(stack.settings), beat, stack.start_worker(concurrency=2))

    # Time

    def now(self) -> datetime:
        return datetime.fromisoformat(self.stack.sandbox.get("clock")["now"])

    def set_clock(self, moment: datetime) -> None:
        self.stack.sandbox.post("clock", {"now": moment.isoformat()})

    def polls_pass(self, *companies: str, times: int = 1) -> None:
        """Until each company's changes were listed that often from now on. The first may have begun before.

        Asked for at once, as an import by hand does it, beside beat's.
        """
        for _ in range(times):
            asked = datetime.now(UTC)
            wait_until(
                lambda asked=asked: all(self._listed(company, asked) for company in companies),  # type: ignore[misc]
                what=f"polls of {', '.join(companies)}", timeout=PATIENCE, interval=0.05,
            )  # fmt: skip

    def _listed(self, company: str, since: datetime) -> bool:
        self.hurry(company)
        poll_asked(self.app.services.ordering, company)
        last = self.app.services.stores.expenses(company).summary()["lastPoll"]
        return last is not None and datetime.fromisoformat(last) > since

    # Companies

    def connect(self, company: str, choices: Choices) -> None:
        self.app.services.stores.company_settings.change(
            company,
            {
                "expenseRequires": choices.requires,
                "costAccounts": ",".join(choices.cost_accounts),
                "ledgerCurrency": choices.currency,
            },
        )
        self._integration(company, "enabled", choices, authorization_code=self.stack.sandbox.code(company))

    def chooses(self, company: str, event_id: str, choices: Choices) -> None:
        self._integration(company, event_id, choices, type="integration.updated", authorization_code=None)

    def _integration(self, company: str, event_id: str, choices: Choices, **more: Any) -> None:
        expenses = {
            "enabled": True,
            "accountNumbers": list(choices.accounts),
            "billableByDefault": choices.billable,
            "fromDate": choices.from_date,
        }
        mail = f"ekonomi@{company}.example"
        payments = {"enabled": True, "fromDate": None}
        event = integration_json(
            company=company, event_id=event_id, expenses=expenses, payments=payments, error_email=mail, **more
        )
        publish(event, services=self.app.services)

        def done() -> bool:
            record = self.app.services.ordering.event(company, event_id)
            return record is not None and record.status == "done"

        wait_until(done, what=f"{event_id} of {company}", timeout=PATIENCE)

    def reconcile(self, *companies: str) -> None:
        """Tonight's reconciliation, now: its time has come, and what beat sends each minute goes to a real worker."""
        for company in companies:
            self.app.services.polling.nights.remove(company)
            self.app.services.polling.nights.add(company, datetime(2026, 1, 1, tzinfo=UTC))
        self.app.send_task(SCHEDULE_NIGHT.name)
        wait_until(
            lambda: all(map(self._is_reconciled, companies)),
            what=f"the reconciliation of {', '.join(companies)}", timeout=PATIENCE, interval=0.05,
        )  # fmt: skip

    def _is_reconciled(self, company: str) -> bool:
        self.hurry(company)
        following, store = self.app.services.polling.nights.next(company), self.app.services.stores.expenses(company)
        asked = following is not None and following > datetime.now(UTC)
        return asked and store.listing("import") is None and not store.due()

    def import_by_hand(self, company: str, days: int) -> None:
        """`moment-fortnox expenses import`; exit status 1 is one that needs a person."""
        services = self.app.services
        services.stores.expenses(company).ask_import(days)
        poll_asked(services.ordering, company)
        store = services.stores.expenses(company)
        wait_until(
            lambda: store.listing("import") is None and not store.due(),
            what=f"the import of {company}",
            timeout=PATIENCE,
        )

    def hurry(self, company: str) -> None:
        """An operator without patience: `events retry` for all that waits or was refused, and no rest.

        Not for a poll that failed: that has to go on by itself.
        """
        ordering = self.app.services.ordering
        counts = ordering.counts(company)
        if ordering.resting(company):
            ordering.resume(company)
        if counts["retrying"]:
            for event_id in (POLL_ID, "payments-poll", "expenses-hints", "payments-hints"):
                ordering.retry(company, event_id)
        if counts["failed"]:
            for event in ordering.failed(company):
                if not event.id.endswith("-poll") and any(part.key != INVOICED for part in event.reason.parts):
                    ordering.retry(company, event.id)

    def told(self, company: str) -> dict[str, tuple[Message, ...]]:
        """What failed events say, by supplier invoice: what `events list` shows, and the mails."""
        return {event.id.split("-")[1]: event.reason.parts for event in self.app.services.ordering.failed(company)}

    # Both ledgers, with amounts as they are

    def ledger(self, company: str) -> dict[str, Any]:
        return self._document(f"{self.stack.sandbox.fortnox}/_sandbox/state", tenant=company)

    def moment(self, company: str) -> dict[str, Any]:
        document = self._document(f"{self.stack.sandbox.moment}/_sandbox/state", company=company)
        return dict(document["companies"][company])

    def _document(self, address: str, **params: str) -> dict[str, Any]:
        response = requests.get(address, params=params, timeout=30)
        response.raise_for_status()
        return dict(json.loads(response.text, parse_float=Decimal))

    def in_moments_api(self, method: str, company: str, external_id: str, body: Any = None) -> int:
        """What a person does in Moment, by its API. The status."""
        address = f"{self.stack.sandbox.moment}/api/1.0/companies/{company}/projectExpenses/{external_id}"
        return requests.request(method, address, json=body, auth=("apikey", MOMENT_KEY), timeout=30).status_code

    def bills(self, company: str, *numbers: int) -> None:
        """Moment finalizes these invoices, and they are transferred and posted."""
        publish(customer_json(company=company, event_id="customer"), services=self.app.services)
        for number in numbers:
            given = {"company": company, "event_id": f"invoice-{number}", "id": number, "invoice_number": number}
            event = invoice_json(**given, project=None, payment_id=None, attachments=[])
            publish(event, services=self.app.services)
        ordering = self.app.services.ordering

        def posted() -> bool:
            records = ordering.events((company, f"invoice-{number}") for number in numbers)
            return all(record.status == "done" for record in records)

        wait_until(posted, what=f"the invoices of {company}", timeout=PATIENCE)

    # What befalls them

    def feed_behaves(self, mood: str) -> None:
        sandbox = self.stack.sandbox
        sandbox.post("options", {**USUAL, **MOODS[mood]})
        if mood == "is silent":
            sandbox.post("feed/silence")
        elif mood in ("is dead", "breaks off"):
            sandbox.post("feed/close")

    def strike(self, damage: str, seed: int) -> None:
        sandbox = self.stack.sandbox
        self.met = self._faults_met()
        match damage:
            case "Fortnox is down":
                sandbox.post("faults", {"seed": seed, "rates": DOWN})
            case "Fortnox is down for a day":
                sandbox.post("faults", {"seed": seed, "rates": {"503": 1.0}})
                given_up: set[str] = set()
                wait_until(lambda: self._give_up(given_up), what="polls that fail", timeout=PATIENCE, interval=0.05)
            case "Moment is down":
                sandbox.in_moment("POST", "faults", {"seed": seed, "rates": MOMENT_DOWN})
            case "Moment's answers are lost":
                sandbox.in_moment("POST", "faults", {"seed": seed, "rates": LOST_ANSWERS})
            case "Moment refuses":
                sandbox.in_moment("POST", "faults", {**REFUSAL, "method": random.Random(seed).choice(("POST", "PUT"))})
            case "the worker is killed":
                looks = self._looks()
                self._soon(lambda: self._looks() > looks)  # rather in the middle of something
                self.worker.kill()
                self.kills += 1
            case "beat is stopped":
                self.beat.kill()

    def _give_up(self, given_up: set[str]) -> bool:
        """As if each company's poll had been tried for a day. True when each was given up once."""
        services = self.app.services
        companies = services.polling.polls.companies()
        for company in companies - given_up:
            record = services.ordering.event(company, POLL_ID)
            if record is None:
                poll_asked(services.ordering, company)
            elif record.status == "failed":
                given_up.add(company)
            else:
                services.redis.eval(AS_IF_FOR_A_DAY, 1, f"mf:event:{company}:{POLL_ID}")
        return given_up == companies

    def mend(self) -> None:
        """Not before somebody met what had been broken."""
        self._soon(self._is_met)
        self.stack.sandbox.delete("faults")
        self.stack.sandbox.in_moment("DELETE", "faults")
        if not self.beat.is_running:
            self.beat.start()
        if not self.worker.is_running:
            self.worker.start()

    def _is_met(self) -> bool:
        sandbox = self.stack.sandbox
        if not (sandbox.get("faults")["rates"] or sandbox.in_moment("GET", "faults")["rates"]):
            return True
        return self._faults_met() > self.met + 2

    def _faults_met(self) -> int:
        sandbox = self.stack.sandbox
        logs = (sandbox.get("requests", limit="5000"), sandbox.in_moment("GET", "requests"))
        return sum(one["fault"] is not None for log in logs for one in log["requests"])

    def _looks(self) -> int:
        counts = self.stack.sandbox.get("requests/count", by="kind")["counts"]
        return int(counts.get("GET /3/supplierinvoices/{GivenNumber}", 0))

    @staticmethod
    def _soon(condition: Callable[[], bool]) -> None:
        """Waits for it a little; where nothing is to be done, nobody comes."""
        with suppress(DeadlineExceeded):
            wait_until(condition, what="", timeout=SOON, interval=0.01)


def started(directory: Path) -> Stack:
    return Stack(directory, options=OPTIONS, feed=True)
