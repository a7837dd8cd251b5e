from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="IDENTITY_", extra="ignore", populate_by_name=True)

    # Contacts taken in hand at once, of all corps; how many calls of one corp run is the client's business.
    contact_reads_at_once: int = 32
    staff_sync_seconds: int = 3600
