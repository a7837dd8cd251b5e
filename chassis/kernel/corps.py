"""The corps we serve: one TOML file, read at start (`BIHUAN_CORPS_FILE`)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chassis.errors import NotFound


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class App(Section):
    """A WeCom app of the corp that calls us; the first is the main one."""

    agent_id: int
    secret: str = Field(repr=False)
    callback_token: str = Field(repr=False)
    callback_aes_key: str = Field(repr=False, min_length=43, max_length=43)


class Mall(Section):
    id: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    platform: Literal["youzan"]
    api_base: str
    kdt_id: str
    client_id: str
    client_secret: str = Field(repr=False)


class RoleGrant(Section):
    userid: str
    role: Literal["ADMIN", "FRONTLINE", "MANAGER", "OPERATOR", "ANALYST"]


class Corp(Section):
    corp_id: str
    name: str
    timezone: str = "Asia/Shanghai"
    api_base: str
    oauth_base: str
    # Days that a channel's touch may earn an order.
    attribution_days: int = Field(default=90, ge=1, le=3650)
    app: tuple[App, ...] = Field(min_length=1)
    mall: tuple[Mall, ...] = ()
    role: tuple[RoleGrant, ...] = ()

    @field_validator("timezone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        ZoneInfo(value)
        return value

    @property
    def main_app(self) -> App:
        return self.app[0]

    def app_of(self, agent_id: str) -> App | None:
        return next((app for app in self.app if str(app.agent_id) == agent_id), None)

    def mall_of(self, mall_id: str) -> Mall | None:
        return next((mall for mall in self.mall if mall.id == mall_id), None)


class Corps:
    """All corps by id."""

    def __init__(self, corps: tuple[Corp, ...]) -> None:
        self._by_id = {corp.corp_id: corp for corp in corps}
        if len(self._by_id) != len(corps):
            raise ValueError("corps file: a corp_id stands there twice")

    @classmethod
    def load(cls, path: Path) -> Corps:
        """Raises ValueError that names the corp and the key when the file is wrong."""
        return cls(tuple(Corp.model_validate(entry) for entry in tomllib.loads(path.read_text())["corp"]))

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._by_id.values())

    def find(self, corp_id: str) -> Corp | None:
        return self._by_id.get(corp_id)

    def get(self, corp_id: str) -> Corp:
        corp = self._by_id.get(corp_id)
        if corp is None:
            raise NotFound("CORP_UNKNOWN", f"no corp {corp_id!r} is configured")
        return corp
