"""After an older copy of Redis was put back, what Fortnox and Moment were given since is found out, not assumed."""

import time
from pathlib import Path
from typing import Any

import pytest
import redis

from local import EmbeddedRedis
from mappers.expense_changes import Sent
from stores.epoch import Epoch
from stores.installation import Installation
from tests.redis_copies import ages, copied, put_back
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json
from tests.waiting import wait_until


@pytest.fixture
def client(acme: Unattended) -> "redis.Redis":
    found = acme.services.redis
    Installation(found).look()
    return found


def transferred(acme: Unattended, event: dict[str, Any]) -> None:
    acme.publish(event)
    assert acme.run(event["id"]) == "done"


def asked(acme: Unattended, *, of: str = "customers") -> list[str]:
    return [one for one in acme.sandbox.requests("acme") if f"/3/{of}" in one]


def name_in_fortnox(acme: Unattended) -> str:
    (found,) = acme.sandbox.state("acme")["customers"]
    return str(found["Name"])


def test_a_system_that_was_looked_at_a_moment_ago_is_in_its_first_epoch(
    acme: Unattended, client: "redis.Redis"
) -> None:
    assert Epoch(client).began() == 0
    transferred(acme, customer_json(event_id="same"))
    assert len(asked(acme)) == 1  # when it was created


def test_a_new_epoch_begins_when_nobody_looked_for_long_and_lasts(acme: Unattended, client: "redis.Redis") -> None:
    ages(client)
    assert Epoch(client).began() > 0  # at once, though nobody has looked yet
    Installation(client).look()
    began = Epoch(client).began()
    assert began > 0
    Installation(client).look()
    assert Epoch(client).began() == began


def test_a_new_epoch_begins_when_redis_was_started_anew(tmp_path: Path) -> None:
    """An older copy is put back where Redis does not run, and may be seconds old."""
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        Installation(client).look()
        Installation(client).look()
        assert Epoch(client).began() == 0
        server.stop()
        looked = time.monotonic()
        wait_until(lambda: time.monotonic() > looked + 1.1, what="a second of Redis to have passed")
        server.start()
        Installation(client).look()
        began = Epoch(client).began()
        assert began > 0
        Installation(client).look()
        assert Epoch(client).began() == began


def test_a_customer_is_sent_once_more_and_then_not_again(acme: Unattended, client: "redis.Redis") -> None:
    older = copied(client)
    transferred(acme, customer_json(event_id="later", name="Efter AB"))
    put_back(client, older)
    ages(client)
    Installation(client).look()
    before = len(asked(acme))

    transferred(acme, customer_json(event_id="as-in-the-copy"))

    assert name_in_fortnox(acme) == "Skånska Bygg AB"
    assert asked(acme)[before:] == ["PUT /3/customers/10001"]
    transferred(acme, customer_json(event_id="again"))
    assert len(asked(acme)) == before + 1


def test_a_customer_whose_update_failed_after_a_copy_was_put_back_is_still_sent(
    acme: Unattended, client: "redis.Redis"
) -> None:
    ages(client)
    Installation(client).look()
    acme.sandbox.fault("fail_next", status=400, code=2000106, tenant="acme", method="PUT", path="/3/customers", count=9)
    acme.publish(customer_json(event_id="refused"))
    acme.run("refused")
    acme.sandbox.delete("faults")
    before = len(asked(acme))
    transferred(acme, customer_json(event_id="next"))
    assert asked(acme)[before:] == ["PUT /3/customers/10001"]


def test_what_moment_was_sent_is_in_doubt_until_it_is_sent_again(acme: Unattended, client: "redis.Redis") -> None:
    store = acme.services.stores.expenses("acme")
    store.record_sent("7", {2: Sent("1000"), 3: Sent("1200", reported="1300")})
    assert store.sent("7") == {2: Sent("1000"), 3: Sent("1200", reported="1300")}
    ages(client)
    Installation(client).look()
    assert store.sent("7") == {2: Sent("?"), 3: Sent("?", reported="1300")}
    store.record_sent("7", {2: Sent("1000")})
    assert store.sent("7") == {2: Sent("1000")}


def test_the_files_of_an_invoice_that_was_transferred_and_forgotten_are_not_attached_again(
    acme: Unattended, client: "redis.Redis"
) -> None:
    file = {"fileName": "a.pdf", "contentType": "application/pdf", "url": None, "content": "JVBERi0xLjQ="}
    event = invoice_json(project=None, attachments=[file])
    older = copied(client)
    transferred(acme, event)
    put_back(client, older)

    transferred(acme, event)

    (invoice,) = acme.sandbox.state("acme")["invoices"]
    assert len(invoice["attachments"]) == 1
    assert invoice["writes"] == {"POST": 1, "bookkeep": 1}
    assert acme.event("e3").reason.key == ""


def test_a_file_of_an_unposted_invoice_that_was_forgotten_is_told_instead_of_attached_twice(
    acme: Unattended, client: "redis.Redis"
) -> None:
    file = {"fileName": "a.pdf", "contentType": "application/pdf", "url": None, "content": "JVBERi0xLjQ="}
    event = invoice_json(project=None, attachments=[file])
    older = copied(client)
    acme.sandbox.fault("fail_next", status=503, tenant="acme", method="PUT", path="/3/invoices/1001/bookkeep", count=9)
    acme.publish(event)
    acme.run("e3")
    acme.sandbox.delete("faults")
    put_back(client, older)

    transferred(acme, event)

    (invoice,) = acme.sandbox.state("acme")["invoices"]
    assert len(invoice["attachments"]) == 1
    assert [part.key for part in acme.event("e3").reason.parts] == ["invoice.other-files-instead", "invoice.file"]
