"""What a chaos run is made of: how much work, for how long, and how much goes wrong meanwhile."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """Durations are in seconds. The same seed makes the same events and draws the same faults."""

    seconds: float = 240.0  # the producing phase, in which everything fails
    seed: int = 1
    events: int = 5200
    companies: int = 40
    producers: int = 8
    workers: int = 4
    concurrency: int = 2
    lease: float = 30.0
    kill_every: float = 2.0
    redis_every: float = 45.0
    stop_every: float = 10.0  # between the end of one stop and the next
    stop_beyond_lease: float = 5.0
    fault_share: float = 0.20  # of Fortnox's answers
    drain: float = 180.0
    recovery_limit: float = 10.0
    failovers: int = 0  # instead of restarts of one Redis: a master, two replicas and three Sentinels
    token_seconds: float = 0.0  # an access token's life, where consents have refresh tokens; 0: service accounts
    speed_limit: float = 20.0  # until it is at full speed again after each fail-over

    @property
    def stop_seconds(self) -> float:
        """Long enough for others to take over what the stopped worker holds: it comes back as a zombie."""
        return self.lease + self.stop_beyond_lease

    def fault_rates(self) -> dict[str, Any]:
        """The sandbox's random faults, `fault_share` of all requests together."""
        share = self.fault_share / 20
        return {
            "500": 3 * share,
            "503": 3 * share,
            "429": 3 * share,
            "drop_before": 3 * share,
            "drop_after": 5 * share,
            "delay": {"rate": 3 * share, "seconds": 1.0},
        }

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


SHORT = Options(
    seconds=26,
    events=600,
    companies=10,
    producers=4,
    lease=5,
    kill_every=2.0,
    redis_every=12,
    stop_every=4,
    stop_beyond_lease=3,
)

# Redis fails over while workers are killed; Fortnox serves.
HA = Options(
    seconds=480,
    lease=10,
    kill_every=6,
    stop_every=30,
    fault_share=0.0,
    failovers=32,
    token_seconds=90,
)
HA_SHORT = replace(HA, seconds=40, events=500, companies=10, producers=4, lease=5, failovers=4)
