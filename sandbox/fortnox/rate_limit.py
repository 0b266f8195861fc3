"""Fortnox's rate limit: a sliding window for each tenant and client.

300 requests a minute, measured over 5 s: https://www.fortnox.se/developer/guides-and-good-to-know.
"""

from collections import defaultdict, deque

from sandbox.clock import elapsed
from sandbox.fortnox.options import Options


class RateLimit:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._windows: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def clear(self) -> None:
        self._windows.clear()

    def admits(self, tenant: str, client: str) -> bool:
        """Whether one more request fits, and if so counts it."""
        options = self._options
        if not options.rate_limit_enabled:
            return True
        now = elapsed()
        window = self._windows[tenant, client]
        while window and window[0] <= now - options.rate_limit_seconds:
            window.popleft()
        admitted = len(window) < options.rate_limit
        if admitted or options.rate_limit_counts_refused:
            window.append(now)
        return admitted
