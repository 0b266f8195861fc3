"""The ordering engine: accepts each event once, runs one at a time per ordering key, in order, and never loses one.

It knows events, keys and outcomes, nothing of what a transfer does. The truth is in Redis, changed only by the Lua
scripts in `lua/`, one atomic transition each. A message to a worker is only a wake-up: it may be lost, late or doubled
without harm.

    publish → waiting → ready → (released, a wake-up is sent) → running → done
                 ↑        ↑                                        ├──→ retrying, held, ready again
                 └────────┴───────────────────────────────────────┴──→ failed, superseded, skipped

The promises. Each has tests in tests/integration/engine; tests/simulation checks 1 to 6 after every step of random
worlds, and checks that it notices a broken one; bench measures 7.

1. At most one live transfer per ordering key. A holder whose lease lapsed can change nothing.
2. The order per key survives retries, back-off, crashes, redelivery and restarts.
3. Nothing accepted is lost. Nothing settled runs again by itself. The same event id is accepted once. Each time that an
   event settles, the stream of outcomes gets one entry (recurring events, which are our own, get none).
4. An event runs only when the earlier events of its prerequisites are through; if one failed, it is held until that
   is mended.
5. Only snapshots that have not started are superseded.
6. A company has at most `release_limit` transfers released. One that rests or is paused occupies no slot.
7. The cost per event is constant: every set is read at one end.

`engine.py` holds the transitions, `queries.py` what can be asked, `records.py` the values, `outcomes.py` how a transfer
can end, `history.py` finding events, `newest.py` and `listed.py` the same over very many companies.
"""

from ordering.engine import LeaseLost, Ordering, UnknownLayout
from ordering.outcomes import (
    Done,
    Failed,
    Held,
    Outcome,
    Pause,
    Release,
    Retry,
    Skipped,
    Snooze,
    Superseded,
    TargetUnavailable,
)
from ordering.queries import OUTCOMES
from ordering.records import (
    STATUSES,
    UNDER_WAY,
    UNSETTLED,
    Admission,
    Behind,
    Claim,
    CompanyState,
    EventRecord,
    Pumped,
    Submission,
    Unreported,
    Wakeup,
)

__all__ = [
    "OUTCOMES",
    "STATUSES",
    "UNDER_WAY",
    "UNSETTLED",
    "Admission",
    "Behind",
    "Claim",
    "CompanyState",
    "Done",
    "EventRecord",
    "Failed",
    "Held",
    "LeaseLost",
    "Ordering",
    "Outcome",
    "Pause",
    "Pumped",
    "Release",
    "Retry",
    "Skipped",
    "Snooze",
    "Submission",
    "Superseded",
    "TargetUnavailable",
    "UnknownLayout",
    "Unreported",
    "Wakeup",
]
