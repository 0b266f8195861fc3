"""A company's own settings, beside its choices in Moment: one hash per company, `settings:<company>`.

They belong to the company, not to its connection: disconnecting keeps them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from redis import Redis

from mappers.expense import Requires
from ordering.queries import PREFIX

AccountNumber = Annotated[str, Field(pattern=r"^[1-9]\d{3}$")]


class CompanySettings(BaseModel):
    """Every setting has a default that suits most companies. The command line shows the descriptions as help."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    language: Literal["sv", "en"] = Field("sv", description="The language of the company's mails.")
    rounding_account: AccountNumber = Field("3740", description="Where rounding is booked.")
    expense_requires: Requires = Field(
        "postedAndApproved",
        description="When supplier invoices come back: this, or posted or approved alone.",
    )
    cost_accounts: str = Field(
        "4000-7999",
        pattern=r"^[1-9]\d{3}(-[1-9]\d{3})?(,[1-9]\d{3}(-[1-9]\d{3})?)*$",
        description="What counts as a cost where no accounts were chosen for expenses: 4000-4999,6540.",
    )
    ledger_currency: str = Field("SEK", pattern=r"^[A-Z]{3}$", description="The ledger's own currency.")
    polls_with_feed: Literal["usual", "hourly"] = Field(
        "usual", description="How often Fortnox is polled while its feed is connected."
    )
    swap_references: bool = Field(False, description="Moment's your and their reference change places.")


class CompanySettingsStore:
    """The settings of all companies."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix

    def get(self, company: str) -> CompanySettings:
        found: Any = self._redis.hgetall(self._key(company))
        return CompanySettings.model_validate_strings(found, by_alias=True)

    def change(self, company: str, values: dict[str, str]) -> CompanySettings:
        """Changes settings, named in camel case. An empty value restores the default. Returns all settings.

        Raises `pydantic.ValidationError`, with nothing changed.
        """
        kept = self._redis.hgetall(self._key(company)) | values  # type: ignore[operator]  # not awaitable: no asyncio
        settings = CompanySettings.model_validate_strings({k: v for k, v in kept.items() if v != ""}, by_alias=True)
        pipeline = self._redis.pipeline()
        for name, value in values.items():
            if value == "":
                pipeline.hdel(self._key(company), name)
            else:
                pipeline.hset(self._key(company), name, value)
        pipeline.execute()
        return settings

    def _key(self, company: str) -> str:
        return f"{self._prefix}settings:{company}"
