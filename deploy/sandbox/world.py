"""What the sandbox knows of each corp, and of its apps."""

from __future__ import annotations

import hashlib
import secrets
import time
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.sandbox.people import AppMessage, ContactWay, Friendships, Member, Person, Welcome

TOKEN_SECONDS = 7200
WELCOME_SECONDS = 20.0
SIGN_IN_SECONDS = 300.0
REGIONS = {101: "华东", 102: "华南"}
STORES = 10
# Those whom the corps file gives a role: name and department by role.
OFFICE = {
    "ADMIN": ("管理员", 1),
    "OPERATOR": ("运营专员", 1),
    "ANALYST": ("分析师", 1),
    "MANAGER": ("华东主管", 101),
    "FRONTLINE": ("导购", 2),
}
FAMILY_NAMES = "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁"
GIVEN_NAMES = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英"


@dataclass
class App:
    """What the administrator allows an app. `visible` None: all members."""

    agent_id: int
    secret: str
    visible: set[str] | None = None
    # The caller's address is on the app's list of trusted ones; it may use the external-contact APIs.
    trusted: bool = True
    may_contacts: bool = True

    def sees(self, userid: str) -> bool:
        return self.visible is None or userid in self.visible


@dataclass
class Corp:
    corp_id: str
    config: dict[str, Any]
    departments: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    contact_ways: dict[str, ContactWay] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)  # by external_userid
    buyers: dict[str, str] = field(default_factory=dict)  # yz_open_id → external_userid
    friendships: Friendships = field(default_factory=Friendships)
    welcomes: dict[str, Welcome] = field(default_factory=dict)
    messages: dict[str, list[AppMessage]] = field(default_factory=lambda: defaultdict(list))  # by userid
    media: dict[str, Any] = field(default_factory=dict)  # by media_id (deploy.sandbox.media.Medium)
    tokens: dict[str, tuple[str, float, int]] = field(default_factory=dict)  # token → secret, until, agent
    sign_ins: dict[str, tuple[str, float]] = field(default_factory=dict)  # code → userid, until

    apps: dict[int, App] = field(default_factory=dict)  # by agent id
    former: dict[str, tuple[str, float]] = field(default_factory=dict)  # former userid → present one, since when

    def __post_init__(self) -> None:
        self.apps = {app["agent_id"]: App(app["agent_id"], app["secret"]) for app in self.config.get("app", ())}

    def app_of_secret(self, secret: str) -> App | None:
        return next((app for app in self.apps.values() if app.secret == secret), None)

    def rename(self, old: str, new: str) -> None:
        """A member gets another userid; friends, messages and contact ways follow."""
        self.members = {(new if userid == old else userid): member for userid, member in self.members.items()}
        self.members[new].userid = new
        self.friendships.rename(old, new)
        for message in self.messages.get(old, ()):
            message.userid = new
        self.messages[new] += self.messages.pop(old, [])
        for way in self.contact_ways.values():
            way.body["user"] = [new if one == old else one for one in way.body.get("user", [])]
        for welcome in self.welcomes.values():
            welcome.userid = new if welcome.userid == old else welcome.userid
        self.former[old] = (new, time.time())

    def add_person(self, key: str, yz_open_ids: list[str] | None = None, bound: bool = True) -> Person:
        """The person of this key, made when new; everything about them follows from the key."""
        external_userid = "wm" + _letters(f"{self.corp_id}/{key}", 30)
        if external_userid not in self.people:
            number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
            name = FAMILY_NAMES[number % len(FAMILY_NAMES)] + GIVEN_NAMES[number // 32 % len(GIVEN_NAMES)]
            unionid = "o" + _letters(f"union/{key}", 27)
            ids = yz_open_ids or [_letters(f"yz/{key}/0", 20)]
            phone = f"139{number % 10**8:08d}"
            self.people[external_userid] = Person(key, name, external_userid, unionid, phone, ids, bound)
            self.buyers.update(dict.fromkeys(ids, external_userid))
        return self.people[external_userid]

    def buyer(self, yz_open_id: str) -> Person | None:
        return self.people.get(self.buyers.get(yz_open_id, ""))

    def way_of(self, state: str | None, config_id: str | None) -> ContactWay | None:
        if config_id:
            return self.contact_ways.get(config_id)
        return next((way for way in self.contact_ways.values() if way.body.get("state") == state), None)

    def issue_token(self, app: App) -> tuple[str, int]:
        """The same token inside its validity."""
        now = time.time()
        for token, (secret, until, _) in self.tokens.items():
            if secret == app.secret and until > now:
                return token, int(until - now)
        token = secrets.token_urlsafe(96)
        self.tokens[token] = (app.secret, now + TOKEN_SECONDS, app.agent_id)
        return token, TOKEN_SECONDS


class World:
    """All corps of the corps file, each with its members and stores."""

    def __init__(self, corps_file: Path, members: int) -> None:
        self.corps: dict[str, Corp] = {}
        for config in tomllib.loads(corps_file.read_text())["corp"]:
            corp = Corp(config["corp_id"], config)
            corp.departments = [{"id": 1, "name": config["name"], "parentid": 0, "order": 1}]
            corp.departments += [
                {"id": region, "name": name, "parentid": 1, "order": 0} for region, name in REGIONS.items()
            ]
            corp.departments += [
                {"id": 2 + i, "name": f"{i + 1}号店", "parentid": 101 + i % 2, "order": i} for i in range(STORES)
            ]
            for number in range(members):
                userid = f"guide_{number:03d}"
                name = f"导购{FAMILY_NAMES[number % 20]}{GIVEN_NAMES[number // 20 % 20]}"
                corp.members[userid] = Member(userid, name, [2 + number % STORES])
            for grant in config.get("role", []):
                name, department = OFFICE[grant["role"]]
                corp.members.setdefault(grant["userid"], Member(grant["userid"], name, [department]))
            self.corps[corp.corp_id] = corp

    def corp_of_token(self, token: str) -> Corp | None:
        return next((corp for corp in self.corps.values() if token in corp.tokens), None)


def _letters(seed: str, count: int) -> str:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    digest = hashlib.sha512(seed.encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:count])
