"""What takes longer than a page: how far it is. One hash each, `job:<id>`, forgotten an hour after its last step."""

import secrets
from datetime import timedelta
from typing import Any, Final, NamedTuple

from redis import Redis

from messages import NOTHING, Message

KEPT: Final = timedelta(hours=1)
SILENT: Final = 60_000  # ms without a step, after which its process seems to have ended


class Job(NamedTuple):
    """`done` of `total` steps, of which `changed` had an effect. `total` is 0 while it is not known.

    `state`: `running`, `done`, `failed`, or `stopped` where nothing is heard of it any more. `said`: what it waits for,
    or why it failed.
    """

    kind: str
    company: str
    state: str
    done: int
    total: int
    changed: int
    said: Message = NOTHING


class JobStore:
    """The jobs of all processes."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def begin(self, kind: str, company: str = "") -> str:
        job_id = secrets.token_urlsafe(12)
        self.save(job_id, Job(kind, company, "running", 0, 0, 0))
        return job_id

    def save(self, job_id: str, job: Job) -> None:
        """Store how far it is."""
        fields: Any = job._asdict() | {"said": job.said.to_json(), "at": self._now()}
        with self._redis.pipeline() as pipeline:
            pipeline.hset(self._key(job_id), mapping=fields)
            pipeline.expire(self._key(job_id), KEPT)
            pipeline.execute()

    def find(self, job_id: str) -> Job | None:
        found: Any = self._redis.hgetall(self._key(job_id))
        if not found:
            return None
        silent = found["state"] == "running" and self._now() - int(found["at"]) > SILENT
        return Job(
            kind=found["kind"],
            company=found["company"],
            state="stopped" if silent else found["state"],
            done=int(found["done"]),
            total=int(found["total"]),
            changed=int(found["changed"]),
            said=Message.from_json(found["said"]),
        )

    def _now(self) -> int:
        seconds, microseconds = self._redis.time()  # type: ignore[misc]
        return int(seconds * 1000 + microseconds // 1000)

    def _key(self, job_id: str) -> str:
        return f"{self._prefix}job:{job_id}"
