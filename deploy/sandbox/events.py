"""What people do, and the change_external_contact events that follow from it (D:92130)."""

from __future__ import annotations

import secrets
import time

from deploy.sandbox.world import Corp, Friendship, Person, Welcome

CHANGES = (
    "add_external_contact",
    "add_half_external_contact",
    "edit_external_contact",
    "del_external_contact",
    "del_follow_user",
    "transfer_fail",
    "msg_audit_approved",
)


def event(corp: Corp, change: str, userid: str, external_userid: str, at: int, **more: str) -> str:
    """The XML of one event; a field without a value is left out, as WeCom does."""
    fields = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in more.items() if value)
    return (
        f"<xml><ToUserName><![CDATA[{corp.corp_id}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>"
        f"<UserID><![CDATA[{userid}]]></UserID><ExternalUserID><![CDATA[{external_userid}]]></ExternalUserID>"
        f"{fields}</xml>"
    )


def member_event(corp: Corp, change: str, userid: str, at: int, **more: str) -> str:
    """The XML of a change_contact event about a member (D:90970)."""
    fields = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in more.items() if value)
    return (
        f"<xml><ToUserName><![CDATA[{corp.corp_id}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[change_contact]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>"
        f"<UserID><![CDATA[{userid}]]></UserID>{fields}</xml>"
    )


def befriend(corp: Corp, person: Person, userid: str, state: str, at: int) -> Welcome | None:
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
    welcome = Welcome(secrets.token_urlsafe(32), userid, person.external_userid)
    corp.welcomes[welcome.code] = welcome
    return welcome


def added(corp: Corp, welcome: Welcome, at: int, *, half: bool = False) -> str:
    """The add event; its welcome code counts its 20 seconds from now."""
    welcome.issued_at = welcome.issued_at or time.time()
    friendship = corp.friendships.get(welcome.userid, welcome.external_userid)
    state = friendship.state if friendship is not None else ""
    change = "add_half_external_contact" if half else "add_external_contact"
    return event(corp, change, welcome.userid, welcome.external_userid, at, State=state, WelcomeCode=welcome.code)


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
