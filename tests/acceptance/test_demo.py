"""`moment-fortnox demo` as a newcomer runs it."""

import json
import subprocess
import sys

from local.day import TEXT_ROW


def test_the_demo_ends_with_the_ledger_exactly_as_expected() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["differences"] == []
    invoices = {one["DocumentNumber"]: one for one in told["ledger"]["invoices"]}
    text, row = invoices["1005"]["InvoiceRows"]  # of the customer whose card gives a discount
    assert (text["Description"], text["Total"]) == (TEXT_ROW, 0)
    assert (row["Discount"], invoices["1005"]["Total"], invoices["1005"]["OurReference"]) == (0, 31250, "Anna Ek")
    assert next(one for one in told["ledger"]["customers"] if one["CustomerNumber"] == "10003")["InvoiceDiscount"] == 10
    assert told["status"]["events"]["failed"] == 1
    assert told["status"]["events"]["superseded"] >= 1
    assert {kind: told["status"]["events"][kind] for kind in ("waiting", "ready", "running", "retrying", "held")} == {
        "waiting": 0,
        "ready": 0,
        "running": 0,
        "retrying": 0,
        "held": 0,
    }
