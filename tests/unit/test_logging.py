"""One event per line, in both formats, from every logger, without secrets."""

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from celery.exceptions import InvalidTaskError
from celery.worker.consumer import consumer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config import load_settings
from config.logging import MASK, configure_logging, is_secret_name, redact, redact_text
from tests.unit.factories import customer_json


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(log_format: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(load_settings(fortnox_api_url="http://127.0.0.1:1", log_format=log_format), stream=stream)
    return stream


def test_a_json_line_has_the_event_its_ids_and_an_aware_utc_time() -> None:
    stream = configured("json")

    structlog.get_logger("tasks.invoices").info("transfer_done", company="acme", key="acme/invoice/1001", attempt=2)

    line = json.loads(stream.getvalue())
    written = datetime.fromisoformat(line.pop("timestamp"))
    assert written.utcoffset() == datetime.now(UTC).utcoffset()
    assert line == {
        "event": "transfer_done",
        "level": "info",
        "logger": "tasks.invoices",
        "company": "acme",
        "key": "acme/invoice/1001",
        "attempt": 2,
    }


def test_loggers_of_the_standard_library_come_out_the_same() -> None:
    stream = configured("json")

    logging.getLogger("kombu.connection").warning("Connection to %s lost", "broker", extra={"attempt": 3})

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"], line["attempt"]) == (
        "Connection to broker lost",
        "warning",
        "kombu.connection",
        3,
    )
    assert line["timestamp"].endswith("Z")


def test_an_exception_stays_on_one_json_line_and_holds_no_secret() -> None:
    stream = configured("json")

    try:
        raise ConnectionError("cannot reach redis://:hunter2@broker:6379/0")
    except ConnectionError:
        structlog.get_logger().exception("broker_lost")

    (text,) = stream.getvalue().splitlines()
    assert "hunter2" not in text
    assert "ConnectionError: cannot reach redis://***@broker:6379/0" in json.loads(text)["exception"]


def test_an_exception_on_the_console_holds_no_secret() -> None:
    stream = configured("console")

    try:
        raise ConnectionError("cannot reach redis://:hunter2@broker:6379/0")
    except ConnectionError:
        logging.getLogger("celery").exception("broker lost")

    assert "hunter2" not in stream.getvalue()
    assert "ConnectionError" in stream.getvalue()


def test_the_console_line_reads_well_for_a_person() -> None:
    stream = configured("console")

    structlog.get_logger().info("transfer_done", company="acme", number="1001")

    (line,) = stream.getvalue().splitlines()
    assert "transfer_done" in line
    assert "company=acme" in line


def test_bound_context_is_on_every_line_inside_it() -> None:
    stream = configured("json")

    with structlog.contextvars.bound_contextvars(company="acme", event_id="e1"):
        logging.getLogger("urllib3").warning("Retrying")
        structlog.get_logger().info("step_done")
    structlog.get_logger().info("outside")

    first, second, third = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["company"], second["event_id"]) == ("acme", "e1")
    assert "company" not in third


def test_celery_s_lines_for_each_task_are_quiet_but_its_errors_are_not() -> None:
    stream = configured("json")

    logging.getLogger("celery.worker.strategy").info("Task received")
    logging.getLogger("celery.app.trace").error("Task raised unexpected", extra={"data": {"args": "()"}})

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "Task raised unexpected"
    assert "data" not in json.loads(line)


BODY = repr(customer_json(name="Hemliga Snickerier AB", organization_number="556016-0680"))


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    ("template", "error", "told"),
    [
        (
            consumer.UNKNOWN_TASK_ERROR,
            KeyError("events.recieve"),
            "Received unregistered task of type: 'events.recieve'",
        ),
        (consumer.UNKNOWN_FORMAT, None, "Received and deleted unknown message.  Wrong destination?!?"),
        (consumer.INVALID_TASK_ERROR, InvalidTaskError(BODY), "Received invalid task message: InvalidTaskError"),
        (consumer.MESSAGE_DECODE_ERROR, ValueError(BODY), "Can't decode message body: ValueError"),
    ],
)
def test_a_message_that_celery_cannot_take_is_told_without_what_is_in_it(
    template: str, error: Exception | None, told: str, log_format: str
) -> None:
    stream = configured(log_format)

    given = [error] if error else []
    consumer.logger.error(template, *given, *[BODY] * (template.count("%") - len(given)), exc_info=error)

    assert told in stream.getvalue()
    for secret in ("Hemliga", "556016"):
        assert secret not in stream.getvalue()
    assert log_format == "console" or len(stream.getvalue().splitlines()) == 1


def test_configuring_twice_does_not_write_twice() -> None:
    configured("json")
    stream = configured("json")

    structlog.get_logger().info("once")

    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "refreshToken",
        "Access-Token",
        "Authorization",
        "proxy_authorization",
        "password",
        "client_secret",
        "clientSecret",
        "FORTNOX_CLIENT_SECRET",
        "code",
        "authorizationCode",
        "authorization_code",
        "errorEmail",
        "email",
        "apiKey",
        "MOMENT_API_KEY",
        "encryption_keys",
        "set-cookie",
        "flower_basic_auth",
    ],
)
def test_a_field_that_holds_a_secret_is_masked(name: str) -> None:
    assert redact(None, "info", {name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize(
    "name",
    [
        "event",
        "key",
        "company",
        "status_code",
        "error_code",
        "codes",
        "fencing_token",
        "encoded",
        "mailed",
        "attempt",
    ],
)
def test_a_field_that_only_sounds_like_a_secret_is_kept(name: str) -> None:
    assert not is_secret_name(name)
    assert redact(None, "info", {name: "1001"}) == {name: "1001"}


def test_secrets_are_masked_however_deep() -> None:
    event = {
        "event": "x",
        "request": {"headers": [{"Authorization": "Bearer abc"}], "url": "https://u:p@host/3/invoices"},
    }

    assert redact(None, "info", event) == {
        "event": "x",
        "request": {"headers": [{"Authorization": MASK}], "url": "https://***@host/3/invoices"},
    }


def test_a_secret_object_and_an_exception_are_masked_as_text() -> None:
    redacted = redact(
        None, "info", {"url": SecretStr("hunter2"), "error": ValueError("mail to bo@acme.example refused")}
    )

    assert redacted == {"url": "**********", "error": "mail to ***@acme.example refused"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://user:pa:ss@mail.example:587 refused", "smtp://***@mail.example:587 refused"),
        ("Authorization: Bearer eyJhbGciOi.abc-_123", "Authorization: Bearer ***"),
        ("Authorization: Basic YXBpa2V5OnNlY3JldA==", "Authorization: Basic ***"),
        (
            "POST body grant_type=refresh_token&refresh_token=abc123&x=1",
            "POST body grant_type=refresh_token&refresh_token=***&x=1",
        ),
        (
            "redirected to https://x.example/?code=abc&state=1",
            "redirected to https://x.example/?code=***&state=1",
        ),
        ("550 no such user anna.ek+faktura@skanskabygg.example", "550 no such user ***@skanskabygg.example"),
        ("GET /3/invoices/1001 failed with code 2000423", "GET /3/invoices/1001 failed with code 2000423"),
    ],
)
def test_secrets_inside_text_are_masked_and_the_rest_is_kept(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once) == once


@pytest.mark.parametrize(
    "text", ["a.+-" * 50_000 + "@", "x" * 200_000 + "@", "@" + "a-" * 100_000, "a@" + "b." * 100_000, "://" * 60_000]
)
def test_no_text_takes_long_to_redact(text: str) -> None:
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 2
