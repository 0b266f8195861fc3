"""Since when what Redis holds is known to be the latest: its epoch.

After a start of Redis, or an outage of every process, what is there may be an older copy that somebody put back, and
later writes to Fortnox and Moment are missing from it. What was recorded before is then a record of what was once so:
it is looked at again, or sent again, before anything is left out for it. `stores.installation` keeps the times.
"""

from typing import Any, Final

from redis import Redis
from redis.client import Pipeline

from ordering.queries import PREFIX

# ms without a look at Redis (three looks of a process), after which a new epoch begins. One also begins when nobody has
# looked since the server started. It may begin for nothing: that costs one request for each thing that changes next.
UNSEEN: Final = 15_000


class Epoch:
    """The epoch of one Redis."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}installation"

    def began(self) -> int:
        """When it began, ms; 0 if it began with the installation. Raises `RedisError`."""
        with self._redis.pipeline(transaction=False) as pipeline:
            self.ask(pipeline)
            return self.answered(*pipeline.execute())

    def ask(self, pipeline: Pipeline) -> None:
        """Add the question to a pipeline, so that it costs no round trip. Its last two answers go to `answered`."""
        pipeline.hmget(self._key, ["looked", "epoch"])
        pipeline.time()

    @staticmethod
    def answered(fields: Any, time: Any) -> int:
        looked, epoch = fields
        now = time[0] * 1000 + time[1] // 1000
        if looked and now - int(looked) > UNSEEN:
            return int(now)  # nobody has looked yet
        return int(epoch or 0)
