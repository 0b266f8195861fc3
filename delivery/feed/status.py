"""Whether Fortnox's feed is connected."""

from typing import NamedTuple

from delivery.services import Services

NO_COMPANY = "no company is connected"  # why nothing is listened to, though nothing is wrong


class FeedStatus(NamedTuple):
    """`state`: `off` (not switched on), `connected`, or `not connected`, and then `why`."""

    state: str
    companies: int = 0
    why: str = ""

    @property
    def connected(self) -> bool:
        return self.state == "connected"

    @property
    def expected(self) -> bool:
        """Whether the feed is switched on and has a company to tell of."""
        return self.state != "off" and self.why != NO_COMPANY


def feed_status(services: Services) -> FeedStatus:
    """What the listener said last. Raises `RedisError`."""
    if not services.settings.fortnox_feed_url:
        return FeedStatus("off")
    state = services.feed.state()
    if state is None:
        return FeedStatus("not connected", why="no background worker listens")
    return FeedStatus("connected" if state.connected else "not connected", state.companies, state.why)
