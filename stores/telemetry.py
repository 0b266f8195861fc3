"""What operators see of the running system: timelines, counters and heartbeats. No transfer depends on it."""

from dataclasses import dataclass

from stores.bodies import BodyStore
from stores.counters import Counters
from stores.heartbeats import Heartbeats
from stores.threads import ThreadStates
from stores.timeline import TimelineStore
from stores.unknown_fields import UnknownFields
from stores.write_buffer import WriteBuffer


@dataclass(frozen=True)
class Telemetry:
    """`write_buffer` collects writes of timelines, counters and heartbeats, to save round trips."""

    timeline: TimelineStore
    counters: Counters
    heartbeats: Heartbeats
    threads: ThreadStates
    unknown_fields: UnknownFields
    bodies: BodyStore
    write_buffer: WriteBuffer
