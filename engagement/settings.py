from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ENGAGEMENT_", extra="ignore", populate_by_name=True)

    welcomes_at_once: int = 32
    # Longest wait for the customer's name before a welcome goes without it.
    name_patience_seconds: float = 5.0
    # Alerts for one employee inside this time become one message. WeCom drops more than 30 a minute or 1,000 an
    # hour per member without a word: four seconds stay below both.
    alert_gather_seconds: float = 4.0
    # An alert that is older than this when it comes is history, not news.
    alert_fresh_seconds: float = 6 * 3600.0
