"""An event that was refused on arrival is parsed once more when a person retries it, and has no place in the order."""

import json
from typing import Any

from delivery.admission import take
from tests.unattended import Unattended
from tests.unit.factories import customer_json


def refused(acme: Unattended, **fields: Any) -> None:
    assert take(acme.services, customer_json(event_id="e9", **fields)) == "refused"
    assert acme.event("e9").status == "failed"


def test_one_that_is_still_invalid_fails_again_with_the_field(acme: Unattended) -> None:
    refused(acme, name="")
    acme.run("e9")
    assert acme.event("e9").status == "failed"
    assert "name" in acme.event("e9").reason.to_json()


def test_one_that_a_later_version_can_read_is_not_transferred_out_of_order(acme: Unattended) -> None:
    refused(acme, name="")
    acme.services.redis.set("mf:body:acme:e9", json.dumps(customer_json(event_id="e9", name="Gammalt namn AB")))
    acme.run("e9")
    assert (acme.event("e9").status, acme.event("e9").code) == ("failed", "SendAgain")
    assert acme.sandbox.state("acme")["customers"][0]["Name"] != "Gammalt namn AB"
