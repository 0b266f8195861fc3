"""The sandbox as a subprocess on free ports. Nothing of the product is used."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.sandbox_client import Ledger, Sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def process() -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "sandbox"]
    ports = ["--fortnox-port", "0", "--moment-port", "0", "--smtp-port", "0"]
    with subprocess.Popen([*command, *ports], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        sandbox = Sandbox(**json.loads(running.stdout.readline()))
        yield sandbox
        sandbox.session.close()
        running.terminate()
        assert running.wait(timeout=60) == 0


@pytest.fixture
def sandbox(process: Sandbox) -> Sandbox:
    """The sandbox as it starts, without the rate limit."""
    process.control("reset")
    process.control("options", rate_limit_enabled=False)
    return process


@pytest.fixture
def acme(sandbox: Sandbox) -> Ledger:
    """A connected, empty ledger."""
    return sandbox.connect("acme", service=True)


@pytest.fixture
def shop(acme: Ledger) -> Ledger:
    """A ledger with customer 10001 and project 1."""
    assert acme.customer().status_code == 201
    assert acme.project().status_code == 201
    return acme


@pytest.fixture
def moment_key() -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(b"apikey:sandbox-key").decode()}
