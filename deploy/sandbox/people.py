"""Who there is: members, people outside, who is whose friend, and what they were sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Member:
    """`status`: 1 active, 2 disabled, 4 not activated, 5 left. `has_contacts`: may have customers (客户联系)."""

    userid: str
    name: str
    departments: list[int]
    status: int = 1
    has_contacts: bool = True


@dataclass
class ContactWay:
    config_id: str
    body: dict[str, Any]
    created_at: float


@dataclass
class Person:
    """Somebody outside. `bound`: WeCom shows their unionid. `shop_bound`: the shop knows their WeChat accounts."""

    key: str
    name: str
    external_userid: str
    unionid: str
    phone: str
    yz_open_ids: list[str]
    bound: bool = True
    shop_bound: bool = True


@dataclass
class Friendship:
    userid: str
    external_userid: str
    state: str
    created_at: int
    # The customer removed the member, who still sees the customer.
    deleted_by_customer: bool = False
    # How they met, in WeCom's numbers: 1 scanned a code, 202 assigned by an administrator.
    add_way: int = 1
    # Until the customer agrees to the chat archive no welcome can be sent.
    awaits_consent: bool = False


@dataclass
class Friendships:
    """Found by either side: the platform knows thousands of them."""

    by_member: dict[str, dict[str, Friendship]] = field(default_factory=lambda: defaultdict(dict))
    by_customer: dict[str, dict[str, Friendship]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, one: Friendship) -> None:
        self.by_member[one.userid][one.external_userid] = one
        self.by_customer[one.external_userid][one.userid] = one

    def remove(self, one: Friendship) -> None:
        del self.by_member[one.userid][one.external_userid]
        del self.by_customer[one.external_userid][one.userid]

    def get(self, userid: str, external_userid: str) -> Friendship | None:
        return self.by_member[userid].get(external_userid)

    def rename(self, old: str, new: str) -> None:
        for one in self.of_member(old):
            self.remove(one)
            one.userid = new
            self.add(one)

    def of_member(self, userid: str) -> list[Friendship]:
        return list(self.by_member[userid].values())

    def of_customer(self, external_userid: str) -> list[Friendship]:
        return list(self.by_customer[external_userid].values())

    def __iter__(self) -> Iterator[Friendship]:
        return (one for friends in self.by_member.values() for one in friends.values())


@dataclass
class Welcome:
    """One app's code for one add. `rivals` are the codes that other apps were given for the same add.

    `agent_id` 0, from a file of the sandbox before: any app may use it.
    """

    code: str
    userid: str
    external_userid: str
    agent_id: int = 0
    rivals: list[str] = field(default_factory=list)
    # Set when the event is first sent: the 20 seconds run from there.
    issued_at: float | None = None
    sent: bool = False


@dataclass
class AppMessage:
    userid: str
    content: str
    at: float
    dropped: bool
