from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="IDENTITY_", extra="ignore", populate_by_name=True)

    # Calls to externalcontact/get at once.
    contact_reads_at_once: int = 10
    staff_sync_seconds: int = 3600
