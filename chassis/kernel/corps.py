"""The corps we serve: one TOML file, read at start (`BIHUAN_CORPS_FILE`).

Names of people are unique inside a scope: a unionid inside an open-platform subject, an openid inside an app, a shop's
own account inside the shops that share their accounts. The corp's usual scope of each kind is the empty one; WeCom's
names are always in it. A mall that tells names of another scope says so:

    [[corp.mall]]
    id = "yz-outlet"
    scope = "outlet"            # its accounts (yz_open_id): it shares none with the corp's other malls
    unionid_scope = "outlet"    # its unionids: it is bound to another open-platform subject than the corp
    openid_scope = "wx0123abcd" # its openids: the app (official account, mini program) that they belong to

Malls that name the same scope share it. A scope enters the identifier's id (chassis.kernel.identifiers), so that it is
decided before the mall's first order. Phones have no scope.

What people call a mall, and its usual way in, a mini program's page or an address:

    name = "旗舰店"
    entry = { title = "进店逛逛", app_id = "wx0123abcd", page = "pages/index" }   # or: title and url

Releases before this one refuse `name` and `entry`: write them when all processes are new.
"""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chassis.errors import Invalid, NotFound

# The mall platforms that have adapters, and the keys of its own that each one's malls need.
PLATFORM_KEYS: dict[str, frozenset[str]] = {
    "youzan": frozenset({"kdt_id", "client_id", "client_secret"}),
}
# The mall's key that says the scope of each kind of name; other kinds have none.
SCOPE_KEYS = {"yz_open_id": "scope", "unionid": "unionid_scope", "openid": "openid_scope"}

WECOM_OAUTH, WECOM_LOGIN = "https://open.weixin.qq.com", "https://login.work.weixin.qq.com"

Scope = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{0,64}$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class App(Section):
    """A WeCom app of the corp that calls us; the first is the main one."""

    agent_id: int = Field(gt=0)
    secret: str = Field(repr=False)
    callback_token: str = Field(repr=False)
    callback_aes_key: str = Field(repr=False, min_length=43, max_length=43)


class Entry(Section):
    """The usual way into a mall: a page of a mini program, or an address."""

    title: str = Field(min_length=1, max_length=64)
    app_id: str = ""
    page: str = ""
    url: str = Field(default="", pattern=r"^(https?://\S+)?$")

    @model_validator(mode="after")
    def is_one_of_both(self) -> Entry:
        if bool(self.url) == bool(self.app_id and self.page) or bool(self.app_id) != bool(self.page):
            raise ValueError("entry: either app_id and page, or url")
        return self


class Mall(Section):
    """A shop. What is not named here is the platform's own (`PLATFORM_KEYS`), named as its documents name it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    platform: str
    api_base: str
    scope: Scope = ""
    unionid_scope: Scope = ""
    openid_scope: Scope = ""
    # What people call it.
    name: str = Field(default="", max_length=64)
    entry: Entry | None = None

    @model_validator(mode="after")
    def has_what_its_platform_needs(self) -> Mall:
        keys = PLATFORM_KEYS.get(self.platform)
        if keys is None:
            raise ValueError(f"platform: {self.platform!r} is not supported yet, only {', '.join(PLATFORM_KEYS)}")
        for key in sorted(keys | set(self.own)):
            if key not in keys:
                raise ValueError(f"{key}: no key of {self.platform}, which has {', '.join(sorted(keys))}")
            if not isinstance(self.own.get(key), str) or not self.own[key]:
                raise ValueError(f"{key}: {self.platform} needs it, a text")
        return self

    @property
    def own(self) -> dict[str, str]:
        """The platform's own keys, credentials among them."""
        return self.__pydantic_extra__ or {}

    def scope_of(self, kind: str) -> str:
        """The scope of the names of this kind that the mall tells."""
        key = SCOPE_KEYS.get(kind)
        return str(getattr(self, key)) if key is not None else ""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Without the platform's keys: secrets are among them."""
        return [("id", self.id), ("platform", self.platform)]


class RoleGrant(Section):
    userid: str
    role: Literal["ADMIN", "FRONTLINE", "MANAGER", "OPERATOR", "ANALYST"]


class Corp(Section):
    corp_id: str
    name: str
    timezone: str = "Asia/Shanghai"
    api_base: str
    oauth_base: str
    # WeCom's web login; its usual address, or beside `oauth_base` where something stands in for WeCom.
    login_base: str = ""
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

    @model_validator(mode="after")
    def names_are_unique(self) -> Corp:
        for key, names in (("app.agent_id", [a.agent_id for a in self.app]), ("mall.id", [m.id for m in self.mall])):
            if len(set(names)) != len(names):
                raise ValueError(f"{key}: stands twice in corp {self.corp_id}")
        return self

    @property
    def web_login_base(self) -> str:
        if self.login_base:
            return self.login_base
        return WECOM_LOGIN if self.oauth_base == WECOM_OAUTH else self.oauth_base

    @property
    def main_app(self) -> App:
        return self.app[0]

    def app_of(self, agent_id: str) -> App | None:
        return next((app for app in self.app if str(app.agent_id) == agent_id), None)

    def mall_of(self, mall_id: str) -> Mall | None:
        return next((mall for mall in self.mall if mall.id == mall_id), None)

    def scope_of(self, kind: str, mall_id: str = "") -> str:
        """The scope of a name that the mall told, or WeCom when no mall is given. Of an unknown mall: the usual one."""
        mall = self.mall_of(mall_id)
        return mall.scope_of(kind) if mall is not None else ""

    def scopes(self, kind: str) -> frozenset[str]:
        """The scopes in which names of this kind are known; the usual one, the empty text, is always among them."""
        return frozenset({"", *(mall.scope_of(kind) for mall in self.mall)})

    def known_scope(self, kind: str, scope: str, field: str = "scope") -> str:
        """The scope itself. Raises Invalid that names `field` when no mall of the corp tells such names."""
        known = self.scopes(kind)
        if scope not in known:
            expected = ", ".join(repr(one) for one in sorted(known))
            raise Invalid("SCOPE_UNKNOWN", f"{kind} has no such scope here", field=field, expected=f"one of {expected}")
        return scope

    def day_of(self, moment: datetime) -> date:
        """The corp's business day in which a moment (with a zone) lies."""
        return moment.astimezone(self._zone).date()

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


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
