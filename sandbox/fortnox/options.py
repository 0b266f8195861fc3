"""Options of the Fortnox stand-in that belong to no tenant."""

from dataclasses import dataclass, field
from typing import Literal

from sandbox.knobs import Knobs


@dataclass(slots=True)
class Options(Knobs):
    clients: dict[str, str] = field(default_factory=lambda: {"sandbox-client": "sandbox-secret"})
    service_accounts_allowed: bool = True
    code_seconds: float = 600.0  # documented: 10 minutes
    access_token_seconds: float = 3600.0  # documented: 1 hour
    refresh_token_days: float = 45.0  # documented: 45 days
    refresh_race_window: float = 0.2  # refreshes this close count as simultaneous
    refresh_answer_seconds: float = 0.0  # from the exchange of a refresh token until its answer arrives
    refresh_seconds: float = 0.0  # how long a refresh takes; measured at the real one: about 0.7
    rate_limit_enabled: bool = True
    rate_limit: int = 25  # documented: 300 a minute in a sliding window of 5 s
    rate_limit_seconds: float = 5.0
    rate_limit_counts_refused: bool = False
    rate_limit_body: Literal["json", "html", "empty"] = "json"
    retry_after: int | None = None  # seconds in the header of a 429; real reports disagree
    latency_seconds: float = 0.0  # added to every API call
    statuses: dict[str, int] = field(default_factory=dict)  # error code -> HTTP status, where reports differ
    texts: dict[str, str] = field(default_factory=dict)  # error code -> its text, where one code has several

    # The feed (`/topics-v1`). Nothing of this is published.
    feed_enabled: bool = True  # false: the handshake is refused
    feed_close_code: int = 1000  # with which the feed closes a socket
    feed_idle_seconds: float = 0.0  # without a message or ping of the client, until it is closed; 0: never
    feed_invalid_tokens: Literal["refused", "unnamed", "partly", "left_out"] = "refused"  # of a list that has some
    feed_tenants_per_command: int = 0  # more are refused; 0: any number
    feed_unknown_command: Literal["error", "ignored", "closed"] = "error"
    feed_unknown_offset: Literal["earliest", "now", "refused"] = "earliest"
    feed_replays_to_late_tenants: bool = False  # whether a tenant added after `subscribe-v1` gets what came before
    feed_expired_tokens: Literal["kept", "removed"] = "kept"  # whether a tenant whose token ended is told more
    feed_revoked: Literal["silent", "removed", "closed"] = "silent"  # how a withdrawn consent shows
    feed_lose_every: int = 0  # each so-manyth event is lost; 0: none
    feed_double_every: int = 0  # each so-manyth event comes twice; 0: none
    feed_delay_seconds: float = 0.0  # before each event
    feed_ahead_seconds: float = 0.0  # for how long the API still shows a ledger as it was before a person's change
