"""What a run found, as a table and as JSON."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.chaos.checker import Findings
from tests.chaos.nemesis import Damage
from tests.chaos.options import Options
from tests.chaos.watch import Recoveries

SHOWN = 12  # sentences of each finding


@dataclass(frozen=True)
class Report:
    """Everything that is printed. `keys`: ordering keys of attempted events."""

    options: Options
    findings: Findings
    damage: Damage
    recoveries: Recoveries
    keys: int
    own_ends: list[str]  # of workers that nobody had killed
    requests: int
    faulty_requests: int
    claims: int  # transfers started
    drained_in: float
    lost_tokens: list[str]  # companies whose connection was lost
    speed: list[float]  # seconds until full speed after each fail-over

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept, by name."""
        found = self.findings
        counted = {
            "lost": len(found.lost),
            "duplicated": len(found.duplicated),
            "unexpected": len(found.unexpected),
            "reordered": len(found.reordered),
            "tokens": len(self.lost_tokens),
            "speed": max(self.speed, default=0.0) >= self.options.speed_limit,
            "recovery": self.recoveries.slowest >= self.options.recovery_limit,
        }
        return [name for name, number in counted.items() if number]

    def as_json(self) -> dict[str, Any]:
        found, damage = self.findings, self.damage
        return {
            "attempted": found.attempted,
            "acknowledged": found.acknowledged,
            "ok": found.ok,
            "recovered": found.recovered,
            "lost": len(found.lost),
            "duplicated": len(found.duplicated),
            "unexpected": len(found.unexpected),
            "reordered": len(found.reordered),
            "slowestRecoverySeconds": round(self.recoveries.slowest, 1),
            "recoveries": len(self.recoveries.seconds),
            "slowestRecoveries": [round(one, 1) for one in sorted(self.recoveries.seconds, reverse=True)[:SHOWN]],
            "recoveriesWithRest": sum(rest > 0 for rest in self.recoveries.rests),
            "keys": self.keys,
            "kills": damage.kills,
            "killsAtWork": damage.kills_at_work,
            "stops": damage.stops,
            "redisRestarts": damage.redis_restarts,
            "redisAwaySeconds": round(max(damage.redis_away, default=0.0), 1),
            "failovers": [asdict(one) for one in damage.failovers],
            "tokensLost": self.lost_tokens,
            "backToSpeedSeconds": [round(one, 1) for one in self.speed],
            "workersEndedByThemselves": len(self.own_ends),
            "setAsideAfterCrashes": found.set_aside,
            "lapsesInARow": {str(n): times for n, times in sorted(self.recoveries.lapses.items())},
            "notAdmittedByCelery": found.not_admitted,
            "repeatedWrites": found.repeated_writes,
            "filesUploadedTwice": found.orphans,
            "requests": self.requests,
            "requestsWithFaults": self.faulty_requests,
            "transfersStarted": self.claims,
            "drainedInSeconds": round(self.drained_in, 1),
            "options": self.options.as_json(),
            "broken": self.broken,
        }

    def json(self) -> str:
        return json.dumps(self.as_json())

    def table(self) -> str:
        found, damage, recoveries = self.findings, self.damage, self.recoveries
        limit = self.options.recovery_limit
        faults = 100 * self.faulty_requests / max(1, self.requests)
        rows: list[tuple[str, object, str]] = [
            ("attempted", found.attempted, f"events over {self.keys} keys of {self.options.companies} companies"),
            ("acknowledged", found.acknowledged, f"{found.not_admitted} more were sent by Celery and never admitted"),
            ("ok", found.ok, f"and {found.recovered} that were not acknowledged and arrived"),
            ("lost", len(found.lost), ""),
            ("duplicated", len(found.duplicated), f"{found.orphans} files uploaded again and attached once"),
            ("unexpected", len(found.unexpected), f"{found.set_aside} set aside after crashes in a row"),
            ("reordered", len(found.reordered), f"{found.repeated_writes} writes repeated the same version"),
            ("slowest recovery", f"{recoveries.slowest:.1f} s", f"of {len(recoveries.seconds)}; limit {limit:g} s"),
            ("worker kills", damage.kills, f"{damage.kills_at_work} at work; {len(self.own_ends)} ended by themselves"),
            ("worker stops", damage.stops, f"each for {self.options.stop_seconds:g} s, then continued"),
            ("Redis restarts", damage.redis_restarts, f"away up to {max(damage.redis_away, default=0):.1f} s"),
            ("requests", self.requests, f"{faults:.0f} % met a fault"),
            ("transfers", self.claims, "started, each with a fencing token of its own"),
            ("drained in", f"{self.drained_in:.1f} s", f"after {self.options.seconds:g} s of faults"),
        ]
        if damage.failovers:
            rows[11:11] = self._failover_rows()
        lines = [f"  {name:<18}{value!s:>8}   {note}".rstrip() for name, value, note in rows]
        return "\n".join([*lines, *self._sentences()])

    def _failover_rows(self) -> list[tuple[str, object, str]]:
        failovers = self.damage.failovers
        kinds = Counter(one.kind for one in failovers)
        elected = max(one.elected for one in failovers)
        return [
            ("fail-overs", len(failovers), "; ".join(f"{n} {kind}" for kind, n in kinds.items())),
            ("elected after", f"{elected:.1f} s", "at most"),
            (
                "at full speed",
                f"{max(self.speed, default=0):.1f} s",
                f"at most, of {len(self.speed)}; {self._median()} (3 s of at least half the speed before)",
            ),
            ("tokens lost", len(self.lost_tokens), f"of {self.options.companies} connections"),
        ]

    def _median(self) -> str:
        return f"median {median(self.speed):.1f} s" if self.speed else "events ended before"

    def _sentences(self) -> list[str]:
        found = self.findings
        lines = []
        for name in ("lost", "duplicated", "unexpected", "reordered"):
            sentences: list[str] = getattr(found, name)
            lines += [f"  {name}: {sentence}" for sentence in sentences[:SHOWN]]
            if len(sentences) > SHOWN:
                lines.append(f"  {name}: … and {len(sentences) - SHOWN} more")
        return lines + [f"  ended by itself: {end}" for end in self.own_ends[:3]]
