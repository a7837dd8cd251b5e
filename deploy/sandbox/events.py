"""What people do, and the events that follow from it (D:92130, D:90970)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.sandbox.people import Friendship, Person, Welcome
from deploy.sandbox.world import Corp

CHANGES = (
    "add_external_contact",
    "add_half_external_contact",
    "edit_external_contact",
    "del_external_contact",
    "del_follow_user",
    "transfer_fail",
    "msg_audit_approved",
)
ASSIGNED = 202  # add_way of a customer who was handed over


def event(corp: Corp, change: str, userid: str, external_userid: str, at: int, **more: str) -> str:
    """The XML of one change_external_contact event; a field without a value is left out, as WeCom does."""
    told = f"<ExternalUserID><![CDATA[{external_userid}]]></ExternalUserID>{_fields(more)}"
    return _xml(corp, "change_external_contact", change, userid, at, told)


def member_event(corp: Corp, change: str, userid: str, at: int, **more: str) -> str:
    """The XML of a change_contact event about a member."""
    return _xml(corp, "change_contact", change, userid, at, _fields(more))


def _xml(corp: Corp, name: str, change: str, userid: str, at: int, told: str) -> str:
    return (
        f"<xml><ToUserName><![CDATA[{corp.corp_id}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[{name}]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>"
        f"<UserID><![CDATA[{userid}]]></UserID>{told}</xml>"
    )


def _fields(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in values.items() if value)


@dataclass(frozen=True)
class Add:
    """Two became friends. `codes`: by agent id, each app's own welcome; an app without one is told of none."""

    userid: str
    external_userid: str
    state: str
    codes: Mapping[int, Welcome] = field(default_factory=dict)

    def told(self, corp: Corp, agent_id: int, at: int, *, half: bool = False) -> str:
        """The event as this app is told of it."""
        return self._event(
            corp, "add_half_external_contact" if half else "add_external_contact", at, self._code(agent_id)
        )

    def confirmed(self, corp: Corp, agent_id: int, at: int) -> str:
        """The member's side of a half add. It carries the code only while nobody has used it."""
        used = agent_id in self.codes and self.codes[agent_id].sent
        return self._event(corp, "add_external_contact", at, "" if used else self._code(agent_id))

    def _code(self, agent_id: int) -> str:
        """Its 20 seconds run from its first telling."""
        if agent_id not in self.codes:
            return ""
        welcome = self.codes[agent_id]
        welcome.issued_at = welcome.issued_at or time.time()
        return welcome.code

    def _event(self, corp: Corp, change: str, at: int, code: str) -> str:
        return event(corp, change, self.userid, self.external_userid, at, State=self.state, WelcomeCode=code)


def befriend(corp: Corp, person: Person, userid: str, state: str, at: int, *, with_code: bool = True) -> Add | None:
    """Makes the friendship. None when they are friends already: WeCom then says nothing."""
    known = corp.friendships.get(userid, person.external_userid)
    if known is not None and not known.deleted_by_customer:
        return None
    if known is not None:
        # Only the customer had deleted: scanning restores the relation, and the state keeps its old value.
        known.deleted_by_customer = False
        state = known.state
    else:
        corp.friendships.add(Friendship(userid, person.external_userid, state, at))
    codes = issue_codes(corp, userid, person.external_userid) if with_code else {}
    return Add(userid, person.external_userid, state, codes)


def issue_codes(corp: Corp, userid: str, external_userid: str) -> dict[int, Welcome]:
    """A welcome code for each app that sees the member: different ones, and only one of them will welcome."""
    made = {
        agent_id: Welcome(secrets.token_urlsafe(32), userid, external_userid, agent_id)
        for agent_id, app in corp.apps.items()
        if app.sees(userid)
    }
    for welcome in made.values():
        welcome.rivals = [other.code for other in made.values() if other is not welcome]
        corp.welcomes[welcome.code] = welcome
    return made


def part(corp: Corp, userid: str, external_userid: str, by: str, at: int) -> str | None:
    """The friendship ends, by the customer's hand or the employee's; None when there was none."""
    friendship = corp.friendships.get(userid, external_userid)
    if friendship is None or (by == "customer" and friendship.deleted_by_customer):
        return None
    if by == "customer":
        friendship.deleted_by_customer = True
        return event(corp, "del_follow_user", userid, external_userid, at)
    corp.friendships.remove(friendship)
    return event(corp, "del_external_contact", userid, external_userid, at)


def hand_over(corp: Corp, external_userid: str, giver: str, taker: str, at: int) -> list[str] | None:
    """A customer of a member in service goes to another one (D:96325); None when the giver has no such friend.

    The taker's add carries neither state nor code. A taker who was a friend already is told of no add.
    """
    friendship = corp.friendships.get(giver, external_userid)
    if friendship is None:
        return None
    corp.friendships.remove(friendship)
    told = [event(corp, "del_external_contact", giver, external_userid, at, Source="DELETE_BY_TRANSFER")]
    if corp.friendships.get(taker, external_userid) is None:
        corp.friendships.add(Friendship(taker, external_userid, "", at, add_way=ASSIGNED))
        told.append(event(corp, "add_external_contact", taker, external_userid, at))
    return told
