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
