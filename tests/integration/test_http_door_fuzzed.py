"""The HTTP door, asked by schemathesis for everything that its document allows and much that it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from config import load_settings
from config.environment import child_environment
from delivery.services import build_services
from stores.producer_keys import EVERY
from tests.browsing import running_console
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json

# The models and the schema differ on purpose: rules that span fields are the models' alone, and they take "1" for 1.
NOT_CHECKED = ("negative_data_rejection", "positive_data_acceptance")


@pytest.mark.parametrize(
    "examples", [pytest.param(20, id="short"), pytest.param(500, id="whole", marks=pytest.mark.proof)]
)
def test_no_request_that_the_document_allows_or_forbids_ends_in_a_fault_of_ours(
    acme: Unattended, examples: int, tmp_path: Path
) -> None:
    event = invoice_json(event_id="e2", project=None)
    event["invoice"]["lines"][0]["accountNumber"] = "9999"
    acme.publish(event, customer_json(event_id="e3", customer_number="3"))
    acme.run("e2")
    ours = acme.services.settings
    given = {name: getattr(ours, name) for name in ("redis_url", "fortnox_api_url", "fortnox_auth_url")}
    key = acme.services.stores.producer_keys.make("fuzz", [EVERY])
    with running_console(build_services(load_settings(None, api_rate_limit="100000/1", **given))) as address:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/v1/openapi.json"),
                *("--header", f"Authorization: Bearer {key}", "--max-examples", str(examples), "--seed", "1"),
                *("--exclude-checks", ",".join(NOT_CHECKED), "--continue-on-failure", "--no-color"),
                *("--generation-database", "none", "--request-timeout", "30", "--suppress-health-check", "all"),
            ],
            cwd=tmp_path,
            env=child_environment({}),
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert len(acme.services.ordering.companies()) > 1, "no event of its own was accepted"
