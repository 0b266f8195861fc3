"""What is no event is kept whole for a person, without the code that it may carry."""

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from delivery.admission import refused
from messages.catalogue import say
from moment.events import InvalidEvent, parse_event
from ordering import Submission
from stores import Vault
from tests.unit.factories import integration_json

CODE = "7f3a-K_q.9~xY+z/w=="
VAULT = Vault([SecretStr(Fernet.generate_key().decode())])
WHOLE = json.dumps(integration_json(authorization_code=CODE))
CUT = WHOLE[: WHOLE.index("serviceAccount")]


def kept(given: Any) -> Submission:
    with pytest.raises(InvalidEvent) as error:
        parse_event(given)
    return refused(given, error.value, VAULT)


@pytest.mark.parametrize(
    "given",
    [
        CUT,
        CUT[: CUT.index(CODE) + len(CODE)],  # cut off within the code
        CUT.encode(),
        CUT.replace('"', "'"),
        CUT.replace("authorizationCode", "authorization_code"),
        json.dumps(CUT)[:-9],  # JSON in JSON
        f"grant authorizationCode={CODE}",
        {"id": "e1", "company": "acme", "type": "integration.enabled", "integration": CUT},
        {"id": "e1", "company": "acme", "AuthorizationCode": CODE},
        [WHOLE],
    ],
)
def test_a_code_in_clear_is_nowhere_in_what_is_kept_of_what_is_no_event(given: Any) -> None:
    submission = kept(given)
    assert CODE not in submission.body
    assert CODE not in submission.refused.to_json()
    assert CODE[-8:] not in submission.body


def test_what_else_is_in_the_text_stays() -> None:
    assert "ekonomi@acme.example" in kept(WHOLE[:-1]).body
    assert json.loads(kept("no event at all").body) == "no event at all"


def test_what_is_wrong_with_the_code_itself_is_said_in_full() -> None:
    given = integration_json(authorization_code="")
    assert say(kept(given).refused) == "Not a valid event: integration.authorizationCode: must not be empty"


def test_what_is_nested_too_deeply_is_kept_as_text() -> None:
    assert json.loads(kept("[" * 100_000).body) == "[" * 100_000
