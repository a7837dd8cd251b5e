from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Settings as ChassisSettings


class Settings(ChassisSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = 8080
    # Where people reach us; WeCom sends them back here after sign-in.
    public_url: str = "http://127.0.0.1:8080"
    session_key: str = Field(validation_alias="BIHUAN_SESSION_KEY", repr=False, min_length=32)
    session_seconds: int = 12 * 3600
    acquisition_address: str
    engagement_address: str
    commerce_address: str
    identity_address: str
    # How long every message of a mall is kept, to be read anew by a later reader; the streams keep a week.
    mall_archive_days: int = Field(default=180, validation_alias="BIHUAN_MALL_ARCHIVE_DAYS", ge=7)
    # Where WeCom's pictures are: origins with spaces between. From nowhere else is anything fetched.
    picture_origins: str = "https://wework.qpic.cn https://open.work.weixin.qq.com"
    # Longest a REST call may take inside.
    call_seconds: float = 10.0
