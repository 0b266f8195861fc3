"""The sandbox, with a record of every write that its ledgers carried out, in the order in which they did.

    python -m tests.chaos.recorder RECORD

A ledger's final state cannot tell that an older version once came after a newer one, or that an invoice came before its
customer's last change; the record can. One JSON line a write, made at the instant of the write.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from sandbox.application import Ports, run
from sandbox.fortnox import gateway
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.ledger import Ledger
from sandbox.http import Answer, Call


def main() -> None:
    with Path(sys.argv[1]).open("a", buffering=1, encoding="utf-8") as record:
        # Final to the sandbox's own code; this is the one place that lays something over it.
        gateway.ENDPOINTS = tuple(recorded(one, record) for one in gateway.ENDPOINTS)  # type: ignore[misc]
        asyncio.run(run(Ports(fortnox=0, moment=0, smtp=0)))


def recorded(endpoint: Endpoint, record: TextIO) -> Endpoint:
    """The endpoint; what it carries out is written down. A refusal raises, and is not."""
    if endpoint.method == "GET":
        return endpoint
    return replace(endpoint, handler=_recording(endpoint, endpoint.handler, record))


def _recording(
    endpoint: Endpoint, handler: Callable[[Ledger, Call], Answer], record: TextIO
) -> Callable[[Ledger, Call], Answer]:
    def record_write(ledger: Ledger, call: Call) -> Answer:
        answer = handler(ledger, call)
        line: dict[str, Any] = {
            "at": time.time(),
            "company": ledger.name,
            "write": f"{endpoint.method} {endpoint.template}",
            "number": next(iter(call.params.values()), ""),
            "body": json.loads(call.body) if call.body and call.media_type() == "application/json" else None,
        }
        record.write(json.dumps(line, ensure_ascii=False) + "\n")
        return answer

    return record_write


if __name__ == "__main__":
    main()
