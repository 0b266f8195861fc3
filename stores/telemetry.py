"""What operators see of the running system: timelines, counters and heartbeats. No transfer depends on it."""

from dataclasses import dataclass

from stores.counters import Counters
from stores.heartbeats import Heartbeats
from stores.timeline import TimelineStore
from stores.write_buffer import WriteBuffer


@dataclass(frozen=True)
class Telemetry:
    """`write_buffer` gathers the writes of the other three, so that a busy process makes few round trips."""

    timeline: TimelineStore
    counters: Counters
    heartbeats: Heartbeats
    write_buffer: WriteBuffer
