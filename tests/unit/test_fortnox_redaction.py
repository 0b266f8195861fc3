"""Nothing secret survives redaction, and nothing useful is lost by it."""

import pytest

from fortnox.redaction import redact, redact_headers

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ0ZW5hbnRJZCI6MX0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        ("Authorization: Basic c2FuZGJveDpzZWNyZXQ=", "c2FuZGJveDpzZWNyZXQ="),
        (f"token {JWT} was refused", JWT),
        ('{"access_token": "abc.def", "expires_in": 3600}', "abc.def"),
        ('{"refresh_token":"r\\"1"}', 'r\\"1'),
        ('{"client_secret" : "s3cret"}', "s3cret"),
        ('{"authorizationCode": "c0de"}', "c0de"),
        ("grant_type=refresh_token&refresh_token=r1d2d3", "r1d2d3"),
        ("grant_type=authorization_code&code=c0dec0de", "c0dec0de"),
        ("redis://user:hunter2@host:6379/0", "hunter2"),
    ],
)
def test_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[hidden]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "Kan inte hitta kunden.",
        "Räkenskapsår saknas för valt datum",
        "HTTPConnectionPool: [Errno 111] Connection refused",
        "https://api.fortnox.se/3/customers",
        "",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert redact("a Bearer abcdef123 b") == "a Bearer [hidden] b"
    assert redact('{"access_token": "x", "scope": "y"}') == '{"access_token": [hidden], "scope": "y"}'


def test_headers_are_hidden_by_name_whatever_their_case() -> None:
    shown = redact_headers({"AUTHORIZATION": "anything", "Set-Cookie": "a=b", "Accept": "application/json"})

    assert shown == {"AUTHORIZATION": "[hidden]", "Set-Cookie": "[hidden]", "Accept": "application/json"}
