"""The request log of a stand-in: the latest requests in full, and counts of all requests."""

from collections import Counter, deque
from dataclasses import dataclass

from sandbox.http import Json

KEPT = 5_000  # requests; counts are kept for all
LONGEST_BODY = 64_000  # bytes; longer JSON bodies and uploads are not kept


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `kind` is method and route template; `status` is None when nothing was answered."""

    number: int
    time: str
    tenant: str | None
    method: str
    path: str
    query: str
    kind: str
    status: int | None
    code: int | str | None
    token: str | None
    fault: str | None
    body: str | None

    def as_json(self, *, body: bool = False) -> Json:
        return {name: getattr(self, name) for name in self.__slots__ if body or name != "body"}


class Journal:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[str | None, str, str, str, str]] = Counter()
        self._next = 1

    def note(
        self,
        *,
        time: str,
        tenant: str | None,
        method: str,
        path: str,
        query: str,
        kind: str,
        status: int | None,
        code: int | str | None,
        token: str | None,
        fault: str | None,
        body: bytes = b"",
    ) -> None:
        kept = body.decode(errors="replace") if body[:1] in (b"{", b"[") and len(body) <= LONGEST_BODY else None
        self.entries.append(
            Entry(self._next, time, tenant, method, path, query, kind, status, code, token, fault, kept)
        )
        self.counts[tenant, kind, str(status or "dropped"), method, fault or ""] += 1
        self._next += 1

    def count(self, tenant: str | None, by: str) -> Json:
        """Totals by `kind`, `status`, `method`, `fault` ("" for none) or `tenant`, for one tenant or for all."""
        part = ("tenant", "kind", "status", "method", "fault").index(by)
        counts: Counter[str] = Counter()
        for key, number in self.counts.items():
            if tenant is None or key[0] == tenant:
                counts[str(key[part])] += number
        return {"total": counts.total(), "by": by, "counts": dict(sorted(counts.items()))}
