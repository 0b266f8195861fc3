"""What Fortnox refused is kept with its answer, sealed, for whoever looks at the event, until the event is done."""

import json
from typing import Any

from cryptography.fernet import Fernet
from pydantic import SecretStr

from operations.events import refused
from stores.forgetting import forget
from stores.refused_writes import RefusedWrites
from stores.rotation import Rotation
from stores.vault import SANDBOX_KEY, Vault
from tests import commands
from tests.unattended import Unattended
from tests.unit.factories import a_line, integration_json, invoice_json

KEY = "mf:refused-write:acme:e3"


def a_refused_invoice(acme: Unattended) -> None:
    acme.publish(invoice_json(project=None, attachments=[], lines=[a_line(account_number="9999")]))
    acme.run("e3")
    assert acme.event("e3").status == "failed"
    acme.services.telemetry.write_buffer.flush()


def shown(acme: Unattended, *options: str) -> str:
    settings = acme.app.settings
    environment = {
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORTNOX_API_URL": settings.fortnox_api_url,
    }
    return commands.run("events", "show", "acme", "e3", "--body", *options, environment=environment).stdout


def test_a_person_sees_what_was_sent_and_answered_and_personal_data_only_on_request(acme: Unattended) -> None:
    a_refused_invoice(acme)
    told: dict[str, Any] = json.loads(shown(acme, "--json"))["refused"]
    assert told["request"] == "POST /3/invoices → 400"
    assert told["sent"]["Invoice"]["InvoiceRows"][0]["AccountNumber"] == 9999
    assert told["sent"]["Invoice"]["OurReference"] == "***"
    assert "9999" in json.dumps(told["answered"])
    assert "sent: POST /3/invoices → 400" in shown(acme)
    assert "Anna Ek" not in shown(acme)
    assert "Anna Ek" in shown(acme, "--unmasked")


def test_it_is_sealed_and_gone_once_the_event_is_done(acme: Unattended) -> None:
    a_refused_invoice(acme)
    sealed = str(acme.services.redis.get(KEY))
    assert "Anna Ek" not in sealed
    assert "9999" not in sealed
    acme.sandbox.account("acme", 9999)
    acme.run("e3")
    assert acme.event("e3").status == "done"
    acme.services.telemetry.write_buffer.flush()
    assert refused(acme.services, "acme", "e3") is None


def test_keys_rotate_it_and_a_forgotten_company_loses_it(acme: Unattended) -> None:
    a_refused_invoice(acme)
    keys = [SecretStr(Fernet.generate_key().decode()), SecretStr(SANDBOX_KEY)]
    assert ("write", "resealed") in {
        (step.kind, step.found) for step in Rotation(acme.services.redis, Vault(keys)).walk()
    }
    assert "Anna Ek" in str(RefusedWrites(acme.services.redis, Vault(keys[:1])).read("acme", "e3"))
    forget(acme.services.redis, "acme", revision=0)
    assert acme.services.redis.get(KEY) is None


def test_a_refused_sign_in_is_not_kept(acme: Unattended) -> None:
    acme.publish(integration_json(event_id="again", authorization_code="no-code-of-fortnox"))
    acme.run("again")
    acme.services.telemetry.write_buffer.flush()
    assert acme.event("again").reason  # the connection stands, and the code is said to be bad
    assert list(acme.services.redis.scan_iter("mf:refused-write:*")) == []
