from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="COMMERCE_", extra="ignore", populate_by_name=True)

    # Jobs ask there whether whoever asked for them still may.
    identity_address: str
    # The mall's detail calls lag behind its messages by up to half a minute.
    buyer_query_delay_seconds: float = 30.0
    buyer_queries_at_once: int = 8
    # For so long an earlier message may say that an order's currency was wrong; longer than the stream's seven days.
    order_messages_kept_days: int = Field(default=8, ge=8)
