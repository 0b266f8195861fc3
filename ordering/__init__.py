"""The ordering engine: events are accepted once, run one at a time per ordering key, in order, and are never lost.

It knows events, keys and outcomes, nothing of what a transfer does. The truth is in Redis, changed only by the
Lua scripts in `lua/`, one atomic transition each; a message to a worker is only a wake-up, which may be lost,
late or doubled without harm.

    publish → waiting → ready → (released, a wake-up is sent) → running → done
                 ↑        ↑                                        ├──→ retrying, held, ready again
                 └────────┴───────────────────────────────────────┴──→ failed, superseded, skipped

The promises. tests/integration/engine has a test or more for each; tests/simulation checks 1 to 6 after every step of
random worlds, and that it notices when one does not hold; bench measures 7.

1. At most one live transfer per ordering key; a holder whose lease lapsed can change nothing.
2. Order per key survives retries, back-off, crashes, redelivery and restarts.
3. Nothing accepted is lost; nothing settled runs again by itself; the same event id is accepted once.
4. A prerequisite's earlier events are through, or the event waits; if one failed, it is held until that is mended.
5. Only snapshots not yet started are superseded.
6. A company has at most `release_limit` transfers released; one that rests or is paused occupies no slot.
7. Cost per event is constant: every set is read at one end.
"""

from ordering.engine import (
    Admission,
    Behind,
    Claim,
    CompanyState,
    EventRecord,
    LeaseLost,
    Ordering,
    Pumped,
    Submission,
    Unreported,
    Wakeup,
)
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

__all__ = [
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
    "Unreported",
    "Wakeup",
]
