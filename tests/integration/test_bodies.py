"""What was received as an event, sent to Fortnox and answered is kept sealed, for whoever looks at the event."""

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from operations.events import bodies
from stores.bodies import BodyStore
from stores.forgetting import forget
from stores.rotation import Rotation
from stores.vault import SANDBOX_KEY, Vault
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import a_line, integration_json, invoice_json

KEY = "mf:bodies:acme:e3"
DAY = 86_400


def transfer(acme: Unattended, **changes: Any) -> None:
    acme.publish(invoice_json(project=None, **{"attachments": [], **changes}))
    acme.run("e3")
    acme.services.telemetry.write_buffer.flush()


def a_refused_invoice(acme: Unattended) -> None:
    transfer(acme, lines=[a_line(account_number="9999")])
    assert acme.event("e3").status == "failed"


def shown(acme: Unattended, *options: str) -> str:
    settings = acme.app.settings
    environment = {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
    }
    return commands.run("events", "show", "acme", "e3", "--body", *options, environment=environment).stdout


def test_a_person_sees_what_was_refused_and_personal_data_only_on_request(acme: Unattended) -> None:
    a_refused_invoice(acme)
    (write,) = json.loads(shown(acme, "--json"))["writes"]
    assert write["request"] == "POST /3/invoices → 400"
    assert write["sent"]["Invoice"]["InvoiceRows"][0]["AccountNumber"] == 9999
    assert write["sent"]["Invoice"]["OurReference"] == "***"
    assert "9999" in json.dumps(write["answered"])
    assert "sent: POST /3/invoices → 400, at 20" in shown(acme)
    assert "Anna Ek" not in shown(acme)
    assert "Anna Ek" in shown(acme, "--unmasked")


def test_of_an_event_that_is_done_what_was_received_and_each_kind_of_write_is_shown(acme: Unattended) -> None:
    a_refused_invoice(acme)
    acme.sandbox.account("acme", 9999)
    acme.run("e3")
    assert acme.event("e3").status == "done"
    acme.services.telemetry.write_buffer.flush()
    assert acme.services.ordering.body("acme", "e3") is None  # the engine forgets it
    told = json.loads(shown(acme, "--json"))
    assert told["body"]["invoice"]["invoiceNumber"] == 1001
    requests = [write["request"] for write in told["writes"]]
    assert requests == ["POST /3/invoices → 201", "PUT /3/invoices/{number}/bookkeep → 200"]
    assert told["writes"][0]["answered"]["Invoice"]["DocumentNumber"] == "1001"
    assert told["writes"][1]["sent"] is None
    assert "received:" in shown(acme)


def test_they_are_sealed_and_end_some_days_after_the_event_is_done(acme: Unattended) -> None:
    redis = acme.services.redis
    a_refused_invoice(acme)
    sealed = json.dumps(redis.hgetall(KEY))
    assert "Anna Ek" not in sealed
    assert "9999" not in sealed
    assert 89 * DAY < int(str(redis.ttl(KEY))) <= 90 * DAY
    acme.sandbox.account("acme", 9999)
    acme.run("e3")
    acme.services.telemetry.write_buffer.flush()
    assert 13 * DAY < int(str(redis.ttl(KEY))) <= 14 * DAY


def test_a_file_is_not_kept(acme: Unattended) -> None:
    content = "JVBERi0x" * 1000
    transfer(acme, attachments=[{"fileName": "time.pdf", "contentType": "application/pdf", "content": content}])
    assert acme.event("e3").status == "done"
    assert "JVBERi0x" not in str(acme.services.telemetry.bodies.read("acme", "e3").received)
    assert bodies(acme.services, "acme", "e3").received["invoice"]["attachments"][0]["content"] == "(8000 characters)"


def test_keys_rotate_them_and_a_forgotten_company_loses_them(acme: Unattended) -> None:
    a_refused_invoice(acme)
    redis = acme.services.redis
    keys = [SecretStr(Fernet.generate_key().decode()), SecretStr(SANDBOX_KEY)]
    assert ("body", "resealed") in {(step.kind, step.found) for step in Rotation(redis, Vault(keys)).walk()}
    rotated = BodyStore(redis, Vault(keys[:1]), acme.app.settings.body_retention_days)
    assert "Anna Ek" in str(rotated.read("acme", "e3"))
    forget(redis, "acme", revision=0)
    assert redis.exists(KEY) == 0


def test_a_sign_in_is_not_kept(acme: Unattended) -> None:
    acme.publish(integration_json(event_id="again", authorization_code="no-code-of-fortnox"))
    acme.run("again")
    acme.services.telemetry.write_buffer.flush()
    assert acme.event("again").reason  # the connection stands, and the code is said to be bad
    assert list(acme.services.redis.scan_iter("mf:bodies:acme:again")) == []


@pytest.mark.parametrize("text", ["x" * 300_000, '{"customer": "\\ud800"}', "\udcff"])
def test_any_text_is_kept_up_to_a_length(acme: Unattended, text: str) -> None:
    store = acme.services.telemetry.bodies
    with acme.services.redis.pipeline() as pipeline:
        store.put(pipeline, "acme", "e9", [], text)
        pipeline.execute()
    kept = store.read("acme", "e9").received
    assert kept is not None
    assert len(kept) == min(len(text), 100_000)
